/** fauxqs on one port of 127.0.0.1; its own command line listens everywhere. */
import { buildApp } from 'fauxqs';

await buildApp({ logger: false }).listen({ port: Number(process.argv[2]), host: '127.0.0.1' });

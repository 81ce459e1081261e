import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePorts } from '../free-ports.js';
import { removeFolder, ServerProcess, type ServerLaunch, type ServerNode } from '../server-process.js';

import type { ServerBinary } from './server-binary.js';

/** A broker of one node on 127.0.0.1. */
export interface Broker {
  readonly node: ServerNode;
  readonly version: string;
  /** For a client. */
  readonly url: string;
  /** Kills it and removes its data. May be called again. */
  stop(): Promise<void>;
}

export interface BrokerOptions {
  /** Gets one line: which server is used, and how it was found. @defaultValue console.error */
  readonly log?: (line: string) => void;
}

/** What differs between brokers. */
export interface BrokerLaunch {
  /** For people, and the name of the log: "redis". */
  readonly name: string;
  readonly server: ServerBinary;
  /** "redis" */
  readonly scheme: string;
  /** @defaultValue none */
  readonly userinfo?: string;
  /** Where it listens. @defaultValue a free port */
  readonly port?: number;
  /** Further free ports that it needs. */
  readonly morePorts?: number;
  /** Makes its files in that folder ready. @returns how it is started */
  readonly launch: (place: BrokerPlace) => Launch | Promise<Launch>;
}

type Launch = Pick<ServerLaunch, 'args' | 'env' | 'isReady'> & { readonly binary?: string };

interface BrokerPlace {
  readonly folder: string;
  readonly port: number;
  readonly morePorts: readonly number[];
}

/** What a process that ends without `stop` would leave behind. The handler of server-process.ts runs before this one. */
const folders = new Set<string>();
process.on('exit', () => {
  for (const folder of folders) removeFolder(folder);
});

/** Starts a broker on free ports, with its data in a folder that goes away with it. */
export async function startBroker(
  { name, server, scheme, userinfo = '', port: given, morePorts: more = 0, launch }: BrokerLaunch,
  { log = console.error }: BrokerOptions = {},
): Promise<Broker> {
  log(`${name} ${server.version}: ${server.binary} (${server.source})`);
  const ports = given === undefined ? await freePorts(1 + more) : [given, ...(await freePorts(more))];
  const [port, ...morePorts] = ports as [number, ...number[]];
  const folder = mkdtempSync(join(tmpdir(), `service-outbox-${name}-`));
  folders.add(folder);
  let node: ServerProcess | undefined;
  const stop = async (): Promise<void> => {
    // Nobody will read this data again, so that there is no reason to wait for a clean shutdown.
    await node?.kill9();
    removeFolder(folder);
    folders.delete(folder);
  };
  try {
    const { env, ...how } = await launch({ folder, port, morePorts });
    node = new ServerProcess({
      name,
      binary: server.binary,
      folder,
      port,
      env: { ...process.env, ...server.env, ...env },
      ...how,
    });
    await node.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { node, version: server.version, url: `${scheme}://${userinfo}127.0.0.1:${port}`, stop };
}

/** The first bytes that a server answers; an empty text where it answers nothing for a second. */
export async function firstAnswer(port: number, request?: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    const end = (answer: string): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => request !== undefined && socket.write(request, 'latin1'));
    socket.once('data', (data) => end(data.toString('latin1')));
    for (const event of ['error', 'timeout', 'close']) socket.once(event, () => end(''));
  });
}

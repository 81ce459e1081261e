import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { onTestFinished } from 'vitest';

/** A command in MongoDB's wire protocol, as far as the proxy looks into it. */
interface Command {
  readonly name: string;
  readonly collection: string;
}

type Rule = Command & { readonly fate: 'hold' | 'lose reply'; met(release: () => void): void };

const headerBytes = 16;
const opMsg = 2013;
const stringType = 2;

/**
 * Stands between a client and a mongod, and does to single commands what a network does: delivers them late, or
 * delivers them and loses the reply. The client has to use `uri`, a direct connection.
 */
export class TcpProxy {
  readonly #server = createServer((client) => this.#accept(client));
  readonly #sockets = new Set<Socket>();
  readonly #rules: Rule[] = [];

  constructor(private readonly target: { host: string; port: number }) {}

  static async start(targetUri: string): Promise<TcpProxy> {
    const { hostname: host, port } = new URL(targetUri);
    const proxy = new TcpProxy({ host, port: Number(port) });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    onTestFinished(() => proxy.stop());
    return proxy;
  }

  get uri(): string {
    return `mongodb://127.0.0.1:${(this.#server.address() as AddressInfo).port}/?directConnection=true`;
  }

  /** Holds the next such command back; resolves when it is held, with the function that lets it go on. */
  hold(name: string, collection: string): Promise<() => void> {
    return new Promise((met) => this.#rules.push({ name, collection, fate: 'hold', met }));
  }

  /** Delivers the next such command and cuts the connection instead of giving its reply; resolves when that was done. */
  loseReply(name: string, collection: string): Promise<void> {
    return new Promise((met) => this.#rules.push({ name, collection, fate: 'lose reply', met: () => met() }));
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #accept(client: Socket): void {
    const server = connect(this.target);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    let passReplies = true;
    server.on('data', (reply) => {
      if (passReplies) client.write(reply);
      else client.destroy();
    });
    let held: Promise<void> | undefined;
    let buffered = Buffer.alloc(0);
    const forward = (message: Buffer): void => {
      const rule = this.#take(message);
      if (rule?.fate === 'hold') held = new Promise((resolve) => rule.met(resolve));
      else if (rule?.fate === 'lose reply') {
        passReplies = false;
        server.once('data', () => rule.met(() => undefined));
      }
      if (held === undefined) server.write(message);
      else void held.then(() => server.write(message));
    };
    client.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 4 && buffered.length >= buffered.readInt32LE(0)) {
        const length = buffered.readInt32LE(0);
        forward(buffered.subarray(0, length));
        buffered = buffered.subarray(length);
      }
    });
  }

  #take(message: Buffer): Rule | undefined {
    const command = commandOf(message);
    const index = this.#rules.findIndex(
      ({ name, collection }) => name === command?.name && collection === command.collection,
    );
    return index < 0 ? undefined : this.#rules.splice(index, 1)[0];
  }
}

/** The first field of an OP_MSG's body is the command's name, and its value the collection. */
function commandOf(message: Buffer): Command | undefined {
  const body = headerBytes + 4 + 1 + 4;
  if (message.readInt32LE(12) !== opMsg || message[body] !== stringType) return undefined;
  const nameEnd = message.indexOf(0, body + 1);
  const length = message.readInt32LE(nameEnd + 1);
  return {
    name: message.toString('utf8', body + 1, nameEnd),
    collection: message.toString('utf8', nameEnd + 5, nameEnd + 5 + length - 1),
  };
}

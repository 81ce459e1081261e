/**
 * Real MongoDB servers for the demo and the tests, on free ports of 127.0.0.1 and with data in a folder that goes
 * away with them. mongodb-memory-server only finds the binary (see mongod.ts): its replica set can neither be killed
 * hard nor be started again on the same data and ports.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { MongoClient, type Document } from 'mongodb';

import { freePorts } from './free-ports.js';
import { mongodProcess } from './mongod-process.js';
import { removeFolder, type ServerNode, type ServerProcess } from './server-process.js';
import { resolveMongod, type Mongod } from './mongod.js';

const SET_NAME = 'rs0';
const WAIT_TIMEOUT_MS = 60_000;

export interface ServerOptions {
  /** Further arguments of every mongod, for example `--setParameter enableTestCommands=1`. */
  readonly args?: readonly string[];
  /** Start with access control: `uri` then carries the credentials of a root user. @defaultValue false */
  readonly auth?: boolean;
  /** A mongod resolved before. @defaultValue `resolveMongod({ log })` */
  readonly mongod?: Mongod;
  /** Gets one line: which mongod is used. @defaultValue console.error */
  readonly log?: (line: string) => void;
}

export interface ReplicaSetOptions extends ServerOptions {
  /** @defaultValue 1 */
  readonly nodes?: number;
  /** How long the others wait for a silent primary before they elect a new one. @defaultValue 2,000 */
  readonly electionTimeoutMs?: number;
  /**
   * Gives the port under which clients and the other members reach the node of a port: that of a proxy between them.
   * @defaultValue the node's own port
   */
  readonly advertise?: (port: number) => Promise<number>;
}

export interface Server {
  /** For MongoClient or mongoose, with all nodes, and credentials if there are any. */
  readonly uri: string;
  readonly mongod: Mongod;
  readonly nodes: readonly ServerNode[];
  /** Kills every node and removes its data. May be called again. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ReplicaSet extends Server {
  /** The node that takes writes now; waits for one. */
  primary(): Promise<ServerNode>;
  /** Waits until every node is the primary or a secondary in step. */
  settled(): Promise<void>;
}

/** Starts a replica set; resolves when its primary takes writes and every other node follows. */
export async function startReplicaSet({
  nodes: count = 1,
  electionTimeoutMs = 2_000,
  advertise = (port) => Promise.resolve(port),
  ...options
}: ReplicaSetOptions = {}): Promise<ReplicaSet> {
  if (count < 1) throw new RangeError(`a replica set has at least 1 node, got ${count}`);
  const { nodes, ...launched } = await launch(count, ['--replSet', SET_NAME], options);
  const primary = async (): Promise<ServerNode> => waitFor('a primary', () => first(nodes, isPrimary));
  const settled = async (): Promise<void> => {
    await waitFor('a primary', () => first(nodes, isPrimary));
    await waitFor('every node to follow the primary', async () => !(await first(nodes, isBehind)) || undefined);
  };
  try {
    const hosts = await Promise.all(nodes.map(async ({ port }) => `127.0.0.1:${await advertise(port)}`));
    await command(nodes[0], {
      replSetInitiate: {
        _id: SET_NAME,
        members: hosts.map((host, _id) => ({ _id, host })),
        settings: { electionTimeoutMillis: electionTimeoutMs, heartbeatIntervalMillis: 500 },
      },
    });
    await settled();
    const userinfo = options.auth ? await createRoot(await primary()) : '';
    return {
      uri: `mongodb://${userinfo}${hosts.join(',')}/?replicaSet=${SET_NAME}`,
      nodes,
      primary,
      settled,
      ...launched,
    };
  } catch (error) {
    await launched.stop();
    throw error;
  }
}

/** Starts a mongod that is no member of a replica set: it knows no transactions. */
export async function startStandalone(options: ServerOptions = {}): Promise<Server> {
  const { nodes, ...launched } = await launch(1, [], options);
  try {
    const userinfo = options.auth ? await createRoot(nodes[0]) : '';
    return { uri: `mongodb://${userinfo}127.0.0.1:${nodes[0].port}/?directConnection=true`, nodes, ...launched };
  } catch (error) {
    await launched.stop();
    throw error;
  }
}

type Nodes = readonly [ServerProcess, ...ServerProcess[]];

async function launch(count: number, setArgs: readonly string[], options: ServerOptions) {
  const { args = [], auth = false, log } = options;
  const mongod = options.mongod ?? (await resolveMongod(log ? { log } : {}));
  const folder = mkdtempSync(join(tmpdir(), 'service-outbox-mongod-'));
  folders.add(folder);
  const authArgs = auth ? accessControl(folder, setArgs.length > 0) : [];
  const nodes = (await freePorts(count)).map((port) => {
    const all = [...setArgs, ...authArgs, ...args];
    return mongodProcess({ binary: mongod.binary, folder: join(folder, `node-${port}`), port, args: all });
  });
  const stop = async (): Promise<void> => {
    // Nobody will read this data again, so that there is no reason to wait for a clean shutdown.
    await Promise.all(nodes.map((node) => node.kill9()));
    removeFolder(folder);
    folders.delete(folder);
  };
  try {
    await Promise.all(nodes.map((node) => node.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes: nodes as unknown as Nodes, mongod, stop, [Symbol.asyncDispose]: stop };
}

/** What a process that ends without `stop` would leave behind. The handler of server-process.ts runs before this one. */
const folders = new Set<string>();
process.on('exit', () => {
  for (const folder of folders) removeFolder(folder);
});

/** Members of a set with access control know each other by a shared key, which mongod wants nobody else to read. */
function accessControl(folder: string, isSet: boolean): string[] {
  if (!isSet) return ['--auth'];
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, randomBytes(96).toString('base64'), { mode: 0o600 });
  return ['--keyFile', keyFile];
}

/** The localhost exception lets the first user be created without credentials. Returns the URI's part for it. */
async function createRoot(node: ServerNode): Promise<string> {
  const password = randomBytes(12).toString('hex');
  await command(node, { createUser: 'root', pwd: password, roles: ['root'] });
  return `root:${password}@`;
}

async function isPrimary(node: ServerNode): Promise<boolean> {
  return (await hello(node))?.['isWritablePrimary'] === true;
}

async function isBehind(node: ServerNode): Promise<boolean> {
  const state = await hello(node);
  return !(state?.['isWritablePrimary'] === true || state?.['secondary'] === true);
}

/** Undefined where the node is down. */
async function hello(node: ServerNode): Promise<Document | undefined> {
  return node.pid === undefined ? undefined : command(node, { hello: 1 }).catch(() => undefined);
}

/** To this node alone, whatever its state, and without credentials. */
async function command(node: ServerNode, document: Document): Promise<Document> {
  const client = new MongoClient(`mongodb://127.0.0.1:${node.port}`, {
    directConnection: true,
    serverSelectionTimeoutMS: 5_000,
    socketTimeoutMS: 30_000,
  });
  try {
    return await client.db('admin').command(document);
  } finally {
    await client.close();
  }
}

async function first<T>(items: readonly T[], test: (item: T) => Promise<boolean>): Promise<T | undefined> {
  const results = await Promise.all(items.map(test));
  return items[results.indexOf(true)];
}

async function waitFor<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + WAIT_TIMEOUT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited ${WAIT_TIMEOUT_MS} ms in vain for ${what}`);
    await delay(50);
  }
}

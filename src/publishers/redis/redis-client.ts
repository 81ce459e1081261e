import { OutboxError, shown } from '../../errors.js';

/** A `Redis` or `Cluster` of ioredis 5 or 6. */
interface IoredisClient {
  readonly status: string;
  readonly isCluster: boolean;
  pipeline(): IoredisPipeline;
  call(command: string, ...args: (string | Buffer | number)[]): Promise<unknown>;
}
interface IoredisPipeline {
  call(command: string, ...args: (string | Buffer | number)[]): unknown;
  exec(): Promise<[error: Error | null, result: unknown][] | null>;
}

/** A client of node-redis 4, 5 or 6: `createClient()`. */
interface NodeRedisClient {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  sendCommand(args: (string | Buffer)[]): Promise<unknown>;
}

/** A cluster of node-redis 4, 5 or 6: `createCluster()`. */
interface NodeRedisCluster {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  getSlotMaster(slot: number): unknown;
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: (string | Buffer)[],
  ): Promise<unknown>;
}

/** A client of ioredis or node-redis. */
export type RedisClient = IoredisClient | NodeRedisClient | NodeRedisCluster;

/** One command, with its first key. */
export interface RedisCommand {
  readonly key: string;
  /** Without the name of the command, the key first. */
  readonly args: readonly (string | Buffer)[];
}

/**
 * Sends XADD commands in one go, and waits for every reply. Rejects where the client refuses all of them.
 *
 * @returns an error for each command, undefined where it succeeded
 */
export async function addAll(
  client: RedisClient,
  commands: readonly RedisCommand[],
  onReply: () => void,
): Promise<readonly unknown[]> {
  if (isIoredis(client) && !client.isCluster) {
    const pipeline = client.pipeline();
    for (const { args } of commands) pipeline.call('XADD', ...args);
    const replies = await pipeline.exec();
    return commands.map((_, index) => replies?.[index]?.[0] ?? undefined);
  }
  // Written in the same turn, these are a pipeline as well; in a cluster, one to each node.
  return Promise.all(
    commands.map(async (command) => {
      try {
        await addOne(client, command);
        onReply();
        return undefined;
      } catch (error) {
        return error ?? new Error('failed');
      }
    }),
  );
}

async function addOne(client: RedisClient, { key, args }: RedisCommand): Promise<unknown> {
  if (isIoredis(client)) return client.call('XADD', ...args);
  const command = ['XADD', ...args];
  return isNodeRedisCluster(client) ? client.sendCommand(key, false, command) : client.sendCommand(command);
}

/** Whether a command would be sent now. Until then clients keep them, and send each again and again when they may. */
export function isReady(client: RedisClient): boolean {
  return isIoredis(client) ? client.status === 'ready' : (client.isReady ?? client.isOpen);
}

function isIoredis(client: RedisClient): client is IoredisClient {
  const { pipeline, call, status } = client as Partial<IoredisClient>;
  return typeof pipeline === 'function' && typeof call === 'function' && typeof status === 'string';
}

function isNodeRedisCluster(client: RedisClient): client is NodeRedisCluster {
  return typeof (client as Partial<NodeRedisCluster>).getSlotMaster === 'function';
}

/** @throws `INVALID_OPTION` */
export function checkRedisClient(client: unknown): asserts client is RedisClient {
  if (typeof client === 'object' && client !== null) {
    if (isIoredis(client as RedisClient)) return;
    const { sendCommand, isOpen } = client as Partial<NodeRedisClient>;
    if (typeof sendCommand === 'function' && typeof isOpen === 'boolean') return;
  }
  throw new OutboxError(
    'INVALID_OPTION',
    'redisPublisher takes a client of ioredis (new Redis(url)) or of node-redis (await createClient({ url }).connect()), or a ' +
      `cluster of either: got ${shown(client)}`,
  );
}

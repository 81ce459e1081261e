import { OutboxError, serverCode } from '../errors.js';
import type { ResolvedOptions } from '../options.js';
import type { CollectionRole } from '../schema/names.js';
import { checkServer } from './check-server.js';
import { createFloor, readFloor, resetFloor } from './floor.js';
import type { Document, Store } from './store.js';

/** What `listCollections` tells of a collection. */
interface CollectionInfo {
  name: string;
  type: string;
  options: { capped?: boolean; size?: number; max?: number };
}

/** The cap that the log really has. */
export interface LogCap {
  sizeBytes: number;
  maxMessages: number | undefined;
}

/** The order messages are read in; `ts` alone does not tell apart the messages of one transaction on every version. */
const pendingOrder = { key: { ts: 1, _id: 1 }, name: 'ts_1__id_1' } as const;

/** The order failures are listed and looked up in; what is due; what comes first of a key. */
const failureIndexes = [
  { key: { consumer: 1, position: 1 }, name: 'consumer_1_position_1' },
  { key: { consumer: 1, state: 1, nextAttemptAt: 1 }, name: 'consumer_1_state_1_nextAttemptAt_1' },
  { key: { consumer: 1, key: 1, position: 1 }, name: 'consumer_1_key_1_position_1' },
] as const;

const namespaceExists = 48;
const roles: readonly CollectionRole[] = ['log', 'pending', 'state', 'failures'];

/**
 * Creates the collections of the outbox and checks them, as `options.setup` says; gives the log's real cap. Several
 * processes may do it at the same time.
 */
export async function setUp(store: Store, options: ResolvedOptions): Promise<LogCap> {
  await store.connected();
  const asked = { sizeBytes: options.sizeBytes, maxMessages: options.maxMessages };
  if (options.setup === 'none') return asked;
  await checkServer(store);
  let found = await existing(store);
  if (options.setup === 'create') {
    for (const role of roles) if (!found.has(role)) await create(store, role, asked);
    found = await existing(store);
  }
  const missing = roles.filter((role) => !found.has(role)).map((role) => store.names[role]);
  if (missing.length > 0) {
    throw new OutboxError(
      'NOT_SET_UP',
      `missing in database ${store.db.databaseName}: ${missing.join(', ')}; let one process with the right to create collections call init() with setup: "create"`,
    );
  }
  const cap = checkLog(store, found.get('log') as CollectionInfo);
  await checkPending(store, found.get('pending') as CollectionInfo, options.setup === 'create');
  await ensureIndexes(store, 'failures', failureIndexes, options.setup === 'create');
  await ensureGenesis(store, options.setup === 'create');
  return cap;
}

async function existing(store: Store): Promise<Map<CollectionRole, CollectionInfo>> {
  const infos = await store.db
    .listCollections(
      { name: { $in: roles.map((role) => store.names[role]) } },
      { nameOnly: false, readPreference: 'primary' },
    )
    .toArray();
  const byName = new Map(infos.map((info) => [info.name, info as unknown as CollectionInfo]));
  const found = new Map<CollectionRole, CollectionInfo>();
  for (const role of roles) {
    const info = byName.get(store.names[role]);
    if (info !== undefined) found.set(role, info);
  }
  return found;
}

async function create(store: Store, role: CollectionRole, cap: LogCap): Promise<void> {
  const capped =
    role === 'log'
      ? { capped: true, size: cap.sizeBytes, ...(cap.maxMessages === undefined ? {} : { max: cap.maxMessages }) }
      : {};
  try {
    await store.command({ create: store.names[role], ...capped, writeConcern: { w: 'majority' } });
  } catch (error) {
    if (serverCode(error) === namespaceExists) return;
    if (role === 'log' && isUnsupported(error)) {
      throw new OutboxError(
        'CAPPED_UNSUPPORTED',
        'this server refuses to create a capped collection: MongoDB 5.0 or newer is needed; Amazon DocumentDB and other look-alikes have no capped collections',
        { cause: error },
      );
    }
    throw error;
  }
}

/** CommandNotFound, InvalidOptions, CommandNotSupported, and the code of Amazon DocumentDB's "Feature not supported". */
function isUnsupported(error: unknown): boolean {
  return [115, 59, 72, 303].includes(serverCode(error) ?? 0);
}

function checkLog(store: Store, info: CollectionInfo): LogCap {
  if (info.type !== 'collection' || info.options.capped !== true) {
    throw new OutboxError(
      'LOG_NOT_CAPPED',
      `the collection ${store.names.log} exists and is not capped: the log must be a capped collection; choose another name for the outbox, or drop or rename that collection if nothing needs it`,
    );
  }
  const max = Number(info.options.max ?? 0);
  return { sizeBytes: Number(info.options.size), maxMessages: max > 0 && max < 2 ** 31 - 1 ? max : undefined };
}

async function checkPending(store: Store, info: CollectionInfo, mayCreate: boolean): Promise<void> {
  const name = store.names.pending;
  const refuse = (what: string) => {
    throw new OutboxError(
      'PENDING_UNSUITABLE',
      `the collection ${name} ${what}: pending must be an ordinary collection, since transactions write to it; drop or rename that collection if nothing needs it, or choose another name for the outbox`,
    );
  };
  if (info.type !== 'collection') refuse(`is a ${info.type}`);
  if (info.options.capped === true) refuse('is capped');
  const stats: Document = await store.command({ collStats: name });
  if (stats['sharded'] === true) refuse('is sharded');
  await ensureIndexes(store, 'pending', [pendingOrder], mayCreate);
}

async function ensureIndexes(
  store: Store,
  role: CollectionRole,
  indexes: readonly { readonly key: Document; readonly name: string }[],
  mayCreate: boolean,
): Promise<void> {
  const name = store.names[role];
  if (mayCreate) {
    await store.command({ createIndexes: name, indexes, writeConcern: { w: 'majority' } });
    return;
  }
  const found = await store.collection(role).listIndexes().toArray();
  const keys = new Set(found.map((index) => JSON.stringify((index as Document)['key'])));
  for (const { key } of indexes) {
    const wanted = JSON.stringify(key);
    if (keys.has(wanted)) continue;
    throw new OutboxError(
      'NOT_SET_UP',
      `the index { ${Object.keys(key).join(': 1, ')}: 1 } is missing on ${name}: let one process with the right to create indexes call init() with setup: "create"`,
    );
  }
}

/**
 * A tailable cursor on an empty capped collection is dead at once on some versions, so a new log gets an entry 0. Its
 * floor is there before it: nobody appends to a log without.
 */
async function ensureGenesis(store: Store, mayCreate: boolean): Promise<void> {
  const log = store.collection('log');
  // Read before the log is looked at: whoever finds it empty late must not lower a floor that was raised meanwhile.
  const floor = await readFloor(store);
  const isNew = (await log.findOne({}, { projection: { _id: 1 } })) === null;
  if (isNew && !mayCreate)
    throw new OutboxError(
      'NOT_SET_UP',
      `the log ${store.names.log} is empty, it has not even its genesis entry: let one process call init() with setup: "create"`,
    );
  if (floor === undefined && mayCreate) await createFloor(store);
  if (!isNew) return;
  if (floor !== undefined && floor.position > 0) await resetFloor(store, floor);
  try {
    await log.insertOne({ _id: 0, created: new Date(0), epoch: 0, bytes: 0n } as never);
  } catch (error) {
    if (serverCode(error) !== 11000) throw error;
  }
}

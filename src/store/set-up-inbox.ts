import { OutboxError, serverCode } from '../errors.js';
import { checkReplicaSet } from './check-server.js';
import type { Database, Document } from './store.js';

/** What `listCollections` tells of a collection. */
interface CollectionInfo {
  type: string;
  options: { capped?: boolean; collation?: object };
}

const namespaceExists = 48;
/** IndexOptionsConflict and IndexKeySpecsConflict: there is an index of that key or name already. */
const indexConflicts: readonly unknown[] = [85, 86];
/** InvalidOptions and IndexNotFound: there is no index that expires anything. */
const notExpiring: readonly unknown[] = [72, 27];

const expiryKey = { at: 1 } as const;

/**
 * Creates the collection of an inbox, with the index by which the server forgets ids, and checks them. Several processes
 * may do it at the same time.
 */
export async function setUpInbox(database: Database, collection: string, retentionMs: number): Promise<void> {
  await database.connected();
  await checkReplicaSet(database);
  const found = (await describe(database, collection)) ?? (await create(database, collection));
  checkCollection(collection, found);
  await setExpiry(database, collection, Math.ceil(retentionMs / 1000));
  checkIndexes(collection, await database.collectionNamed(collection).listIndexes().toArray());
}

async function describe(database: Database, collection: string): Promise<CollectionInfo | undefined> {
  const [info] = await database.db
    .listCollections({ name: collection }, { nameOnly: false, readPreference: 'primary' })
    .toArray();
  return info as unknown as CollectionInfo | undefined;
}

async function create(database: Database, collection: string): Promise<CollectionInfo | undefined> {
  try {
    await database.command({ create: collection, writeConcern: { w: 'majority' } });
  } catch (error) {
    if (serverCode(error) !== namespaceExists) throw error;
  }
  return describe(database, collection);
}

function checkCollection(collection: string, info: CollectionInfo | undefined): void {
  if (info === undefined) throw unsuitable(collection, 'was dropped while it was set up');
  if (info.type !== 'collection') throw unsuitable(collection, `is a ${info.type}`);
  if (info.options.capped === true) throw unsuitable(collection, 'is capped');
  // Ids that differ only in case, say, would be one.
  if (info.options.collation !== undefined) throw unsuitable(collection, 'has a default collation');
}

/**
 * A TTL index can't be created where there is one of another retention. Then `collMod` changes it: the deploy that brings
 * the new retention must neither fail nor leave the old one in force, and to drop the index and build it anew would have
 * several processes drop each other's, and read all ids. It waits for the transactions under way that use the inbox.
 */
async function setExpiry(database: Database, collection: string, expireAfterSeconds: number): Promise<void> {
  const writeConcern = { w: 'majority' };
  const index = { key: expiryKey, name: 'at_1', expireAfterSeconds };
  try {
    await database.command({ createIndexes: collection, indexes: [index], writeConcern });
    return;
  } catch (error) {
    if (!indexConflicts.includes(serverCode(error))) throw error;
  }
  try {
    await database.command({
      collMod: collection,
      index: { keyPattern: expiryKey, expireAfterSeconds },
      writeConcern,
    });
  } catch (error) {
    // The check of the indexes says what is wrong.
    if (!notExpiring.includes(serverCode(error))) throw error;
  }
}

/** One TTL index, on every id; its retention may be another process's by now. A second one could forget earlier. */
function checkIndexes(collection: string, indexes: readonly Document[]): void {
  const [expiry, ...others] = indexes.filter((index) => index['expireAfterSeconds'] !== undefined);
  if (expiry === undefined || others.length > 0 || JSON.stringify(expiry['key']) !== JSON.stringify(expiryKey))
    throw unsuitable(collection, 'has an index at_1 that expires nothing, or other TTL indexes than { at: 1 }');
  if (expiry['partialFilterExpression'] !== undefined)
    throw unsuitable(collection, 'has a TTL index on { at: 1 } that is partial');
}

function unsuitable(collection: string, what: string): OutboxError {
  return new OutboxError(
    'INBOX_UNSUITABLE',
    `the collection ${collection} ${what}: an inbox needs an ordinary collection with one TTL index, { at: 1 }; drop what is in the way if nothing needs it, or choose another name for the inbox`,
  );
}

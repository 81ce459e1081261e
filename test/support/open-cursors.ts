import type { Connection } from 'mongoose';

/** Cursors on a database's collections that the server holds, waiting or at work; none of another database. */
export async function openCursors(connection: Connection, database: string): Promise<string[]> {
  const admin = connection.getClient().db('admin');
  const operations = await admin
    .aggregate([
      { $currentOp: { allUsers: true, idleCursors: true, localOps: true } },
      { $match: { ns: { $regex: `^${database}\\.` }, $or: [{ type: 'idleCursor' }, { cursor: { $exists: true } }] } },
    ])
    .toArray();
  return operations.map(({ type, ns, op }) => `${String(type)} ${String(op ?? '')} ${String(ns)}`);
}

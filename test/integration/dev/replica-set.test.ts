import { MongoClient } from 'mongodb';
import { expect, inject, it } from 'vitest';

import { startReplicaSet, startStandalone } from '../../../dev/replica-set.js';

// A client is declared after its server, and so is closed before it: to a server that is gone, `close` takes 30 s.
const mongod = inject('mongod');

it('keeps its data and its port through a kill -9', async () => {
  await using set = await startReplicaSet({ mongod });
  await using client = new MongoClient(set.uri);
  const [node] = set.nodes;
  const things = client.db('test').collection('things');
  await things.insertOne({ kept: true }, { writeConcern: { w: 'majority', journal: true } });

  await node?.kill9();
  expect(node?.pid).toBeUndefined();
  await node?.restart();
  await set.settled();

  expect(await things.countDocuments({ kept: true })).toBe(1);
});

it('starts with access control, and the URI it gives has the rights of root', async () => {
  await using set = await startReplicaSet({ mongod, auth: true });
  await using root = new MongoClient(set.uri);
  await expect(root.db('admin').command({ usersInfo: 1 })).resolves.toMatchObject({ users: [{ user: 'root' }] });

  await using anonymous = new MongoClient(set.uri.replace(/\/\/.*@/, '//'));
  await expect(anonymous.db('test').collection('things').findOne()).rejects.toThrow('requires authentication');
});

it('starts a server that is no member of a replica set', async () => {
  await using server = await startStandalone({ mongod });
  await using client = new MongoClient(server.uri);
  const hello = await client.db('admin').command({ hello: 1 });
  expect(hello).toMatchObject({ isWritablePrimary: true });
  expect(hello).not.toHaveProperty('setName');
});

it('says what mongod said when it does not start', async () => {
  await expect(startStandalone({ mongod, args: ['--nonsense'] })).rejects.toThrow("unrecognised option '--nonsense'");
});

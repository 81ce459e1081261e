import mongoose, { type Mongoose } from 'mongoose';

import { PutModels } from '../../src/schema/put-models.js';
import { Reviver } from '../../src/schema/revive.js';
import { plainBson } from '../../src/store/store.js';

/** The second copy of mongoose, an older one. Never imported statically: see CONTRIBUTING.md. */
export async function otherMongoose(): Promise<Mongoose> {
  const name = 'mongoose8';
  return ((await import(name)) as typeof import('mongoose')).default;
}

/** What `put` would store of the data of a message whose type has this schema. */
export function cast(data: unknown, value: object, base: Mongoose = mongoose): Promise<object> {
  return new PutModels(base, 'X', { t: { data } }).cast('t', value);
}

/** What readers would get of it, without a server: cast, encoded, decoded and revived. */
export async function roundTrip(data: unknown, value: object, base: Mongoose = mongoose): Promise<unknown> {
  const { BSON } = base.mongo;
  const stored = BSON.deserialize(BSON.serialize({ data: await cast(data, value, base) }), plainBson)[
    'data'
  ] as unknown;
  return new Reviver(base, { t: { data } }).data('t', stored);
}

/** The error that a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('expected a rejection');
    },
    (error: unknown) => error as Error,
  );
}

import type { Connection } from 'mongoose';

interface StoredCursor {
  readonly _id: string;
  readonly created: Date;
}

/** The place of the relay, outliving it: the creation date of the last message that the broker has acknowledged. */
export class RelayCursor {
  constructor(private readonly connection: Connection) {}

  async load(): Promise<Date | undefined> {
    const stored = await this.#collection.findOne({ _id: 'relay' });
    return stored?.created;
  }

  async store(created: Date): Promise<void> {
    const options = { upsert: true, writeConcern: { w: 'majority' } } as const;
    await this.#collection.updateOne({ _id: 'relay' }, { $set: { created } }, options);
  }

  get #collection() {
    return this.connection.collection<StoredCursor>('relay_cursors');
  }
}

import type { ClientSession } from 'mongoose';
import { writeMajority, type Document, type Store } from './store.js';

/** How far the server was, as a session has learned with its answers. */
export interface ClusterMoment {
  operationTime: ClientSession['operationTime'] | undefined;
  clusterTime: ClientSession['clusterTime'] | undefined;
}

/** What a term reads with: never older than its takeover and its own commits, also on a primary that is new. */
export interface TermReads {
  readonly store: Store;
  readonly reading: ClientSession;
}

/**
 * The sessions whose transactions write a consumer's checkpoint in one term. After a kill -9 an open transaction keeps its
 * locks until the server's `transactionLifetimeLimitSeconds` (a minute) is over: the next owner ends it, and has to know
 * its session. The driver takes sessions from a pool, so a new one is rare, and noted once.
 */
export class TermSessions implements TermReads {
  readonly #known = new Set<string>();
  /**
   * A new primary may not know at once that what it holds is majority-committed, and a majority read outside of a causally
   * consistent session would show an older state.
   */
  readonly reading: ClientSession;

  /** @param leaseId the `_id` of the consumer's lease, where they are noted */
  constructor(
    readonly store: Store,
    private readonly leaseId: string,
    private readonly epoch: number,
    private readonly wtimeoutMs: number,
  ) {
    this.reading = store.session();
  }

  /** To be called before the session's transaction writes the checkpoint. */
  async note(session: ClientSession): Promise<void> {
    const id = session.id?.id;
    if (id === undefined) return;
    const key = id.toString('hex');
    if (this.#known.has(key)) return;
    const { epoch } = this;
    const mine = { $eq: ['$sessions.epoch', epoch] };
    await this.store.collection('state').updateOne(
      { _id: this.leaseId, epoch } as Document,
      [
        {
          $set: {
            sessions: { epoch, ids: { $setUnion: [{ $cond: [mine, '$sessions.ids', []] }, [{ $literal: id }]] } },
          },
        },
      ],
      { writeConcern: writeMajority(this.wtimeoutMs) },
    );
    this.#known.add(key);
  }

  /** What was committed by then is shown by what is read from now on. */
  committed({ operationTime, clusterTime }: Partial<ClusterMoment>): void {
    if (operationTime !== undefined) this.reading.advanceOperationTime(operationTime);
    if (clusterTime !== undefined) this.reading.advanceClusterTime(clusterTime);
  }

  /** Nothing is read any more. */
  close(): void {
    void this.reading.endSession().catch(() => undefined);
  }
}

/** Ends the transactions that an earlier owner left open; the user of a connection may always end his own sessions. */
export async function endLeftSessions(store: Store, lease: Document): Promise<void> {
  const { ids } = (lease['sessions'] ?? {}) as { ids?: unknown[] };
  await endSessions(store, ids ?? []);
}

/** Ends what is under way in these sessions. */
export async function endSessions(store: Store, ids: readonly unknown[]): Promise<void> {
  if (ids.length > 0) await store.command({ killSessions: ids.map((id) => ({ id })) });
}

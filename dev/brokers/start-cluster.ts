/** Servers that are one cluster, in the order in which they were given. */
export interface Cluster<B extends Stoppable> {
  readonly members: readonly B[];
  /** Kills them and removes their data. May be called again. */
  stop(): Promise<void>;
}

interface Stoppable {
  stop(): Promise<void>;
}

/** Waits for all members; where one does not start, none is left. */
export async function startCluster<B extends Stoppable>(starts: readonly Promise<B>[]): Promise<Cluster<B>> {
  const outcomes = await Promise.allSettled(starts);
  const members = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const stop = async (): Promise<void> => void (await Promise.all(members.map((member) => member.stop())));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return { members, stop };
  await stop();
  throw failed.reason;
}

const tails = new WeakMap<object, Promise<unknown>>();

/**
 * Runs tasks that share a session one after another, in the order in which they were started: parallel operations in
 * one transaction are undefined behaviour (https://www.mongodb.com/docs/manual/core/transactions/).
 */
export function inTurn<T>(session: object, task: () => Promise<T>): Promise<T> {
  const before = tails.get(session);
  // An idle session costs no extra turn of the event loop.
  const run = before === undefined ? task() : before.then(task, task);
  const settled = run.then(
    () => undefined,
    () => undefined,
  );
  tails.set(session, settled);
  void settled.then(() => {
    if (tails.get(session) === settled) tails.delete(session);
  });
  return run;
}

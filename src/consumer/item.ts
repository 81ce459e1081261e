/** A message on its way through a consumer. */
export interface Item {
  /** Where it is taken from: the log, or the consumer's failures. */
  readonly source: 'log' | 'failures';
  readonly position: number;
  /** What it is kept in order with: its key; undefined where it is its own. */
  readonly lane: string | undefined;
  /** Bytes in the log. */
  readonly size: number;
  /** The message as it was read; dropped once it is not needed any more. */
  payload: unknown;
  /**
   * waiting -> running -> done
   *               |-> held (failed, what becomes of it is not decided yet) -> waiting or passing
   *               `-> passing (being written to failures) -> done
   */
  state: 'waiting' | 'running' | 'held' | 'passing' | 'done';
  /** Whether it was ever run: then it may repeat after a crash. */
  begun: boolean;
  /** Whether it counts as under way in its lane. */
  taken: boolean;
}

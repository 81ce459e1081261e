import type { Checkpoint } from '../store/consumer-checkpoint.js';
import type { Task } from './task.js';

/**
 * After a process died, what it had in flight is run one message at a time, each recorded first: only a message that ran
 * alone when its process died counts an attempt, so that poison ends as a dead letter and not in a crash loop.
 */
export class Solo {
  /** What is recorded, or is to be recorded with the next write, as running alone. */
  mark: Checkpoint['solo'] = null;
  /** Whether the mark waits to be written. */
  isUnwritten = false;
  /** What an earlier owner ran alone when it died. */
  readonly died: Checkpoint['solo'];
  /** Messages of the log up to here were in flight. */
  #end: number;
  /** Positions of failures that were in flight. */
  #records = new Set<number>();
  #next: Task | undefined;

  constructor(checkpoint: Pick<Checkpoint, 'begun' | 'solo'>) {
    this.#end = checkpoint.begun ?? 0;
    this.died = checkpoint.solo;
  }

  isOn(position: number): boolean {
    return position < this.#end || this.#records.size > 0;
  }

  /** What was appended later than this was not in flight. */
  endAt(position: number): void {
    this.#end = Math.min(this.#end, position);
  }

  /** Failures that were begun and whose end is not known. */
  setRecords(positions: readonly number[]): void {
    this.#records = new Set(positions);
  }

  /** Some of these failures may have been discarded; `positions` are there still. */
  keepRecords(positions: readonly number[]): void {
    this.#records = new Set(positions.filter((position) => this.#records.has(position)));
  }

  /** Asks for the mark of what is to be run next. @returns the task, once it is marked */
  ask(task: Task): Task | undefined {
    if (this.#next === task && this.mark?.position === task.position) return this.isUnwritten ? undefined : task;
    this.#next = task;
    this.mark = { position: task.position, source: task.source };
    this.isUnwritten = true;
    return undefined;
  }

  /** A failure was not in flight, though it was about to be: one of its key comes first. */
  forget(position: number): void {
    this.#records.delete(position);
  }

  /** The task has an outcome. */
  settled(task: Task): void {
    this.#records.delete(task.position);
    if (this.mark?.position === task.position) this.mark = null;
  }
}

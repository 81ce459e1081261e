import Table from 'cli-table3';

import type { HistoryRecord } from './history/records.js';
import type { RoundResult } from './run-round.js';

/** What several rounds come to. */
export class Report {
  #rounds = 0;
  #failedRounds = 0;
  #transactions = 0;
  #messages = 0;
  #deliveries = 0;
  #processes = 0;
  #violations = 0;
  #settledMs = 0;
  readonly #kinds = new Map<string, { injected: number; read: number[]; handled: number[] }>();

  add(result: RoundResult): void {
    this.#rounds += 1;
    if (result.violations.length > 0) this.#failedRounds += 1;
    this.#processes += result.processes;
    this.#violations += result.violations.length;
    this.#messages += result.history.final.last;
    this.#settledMs = Math.max(this.#settledMs, result.settledMs);
    for (const { records } of result.history.processes) for (const record of records) this.#count(record);
    for (const { kind } of result.injections) this.#kind(kind).injected += 1;
    for (const { kind, readMs, handledMs } of result.recoveries) {
      if (readMs !== undefined) this.#kind(kind).read.push(readMs);
      if (handledMs !== undefined) this.#kind(kind).handled.push(handledMs);
    }
  }

  get violations(): number {
    return this.#violations;
  }

  /** As a test runner reports: a round is a test. */
  asTests(): object {
    const numFailedTests = this.#failedRounds;
    const numPassedTests = this.#rounds - numFailedTests;
    return { success: numFailedTests === 0, numPassedTests, numFailedTests, testResults: [], text: this.text() };
  }

  text(): string {
    const table = new Table({
      head: ['fault', 'injected', 'read again after, median', 'worst', 'all consumers after, median', 'worst'],
      style: { head: [], border: [] },
      colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    });
    for (const [kind, { injected, read, handled }] of [...this.#kinds].sort(([a], [b]) => a.localeCompare(b)))
      table.push([
        kind,
        injected,
        shown(median(read)),
        shown(worst(read)),
        shown(median(handled)),
        shown(worst(handled)),
      ]);
    const faults = [...this.#kinds.values()].reduce((sum, { injected }) => sum + injected, 0);
    return [
      table.toString(),
      `${this.#rounds} rounds, ${this.#processes} processes, ${faults} faults`,
      `${this.#transactions} transactions, ${this.#messages} messages, ${this.#deliveries} deliveries`,
      `longest time until everything had come to everybody after the faults: ${shown(this.#settledMs)}`,
      `violations: ${this.#violations}`,
    ].join('\n');
  }

  #kind(kind: string) {
    const found = this.#kinds.get(kind) ?? { injected: 0, read: [], handled: [] };
    this.#kinds.set(kind, found);
    return found;
  }

  #count(record: HistoryRecord): void {
    if (record.kind === 'begin') this.#transactions += 1;
    else if (record.kind === 'read' || record.kind === 'delivery') this.#deliveries += record.entries.length;
  }
}

function worst(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values);
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function shown(ms: number | undefined): string {
  return ms === undefined ? '-' : `${Math.round(ms).toLocaleString('en-US')} ms`;
}

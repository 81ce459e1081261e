import Table from 'cli-table3';
import type { Findings } from './verify.js';

const number = new Intl.NumberFormat('en');

/** The figures of a run. */
export function reportTable(findings: Findings): string {
  const table = new Table({ head: ['', 'Count'], colAligns: ['left', 'right'], style: { head: [], border: [] } });
  const rows: [string, number | string][] = [
    ['Transactions committed', findings.committed],
    ['Transactions aborted', findings.aborted],
    ['Messages published', findings.published],
    ['Re-sent after kills', findings.resent],
    ['Lost', findings.lost],
    ['From aborted transactions', findings.fromAborted],
    ['Out of order', findings.outOfOrder],
    ['Commit to publish, p50', milliseconds(findings.latencies, 0.5)],
    ['Commit to publish, p99', milliseconds(findings.latencies, 0.99)],
  ];
  table.push(...rows.map(([what, value]) => [what, typeof value === 'number' ? number.format(value) : value]));
  return table.toString();
}

/** Whether the library kept its promises in this run, and a sentence that says so. */
export function verdict(findings: Findings): { readonly kept: boolean; readonly sentence: string } {
  const { lost, fromAborted, outOfOrder } = findings;
  const broken = [
    lost > 0 && `${number.format(lost)} lost`,
    fromAborted > 0 && `${number.format(fromAborted)} of no committed transaction`,
    outOfOrder > 0 && `${number.format(outOfOrder)} out of order`,
  ].filter((fault) => fault !== false);
  return broken.length === 0
    ? { kept: true, sentence: 'Right: nothing was lost, nothing is of an aborted transaction, all is in order.' }
    : { kept: false, sentence: `WRONG: ${broken.join(', ')}. This must never be: please report it.` };
}

/** Nearest rank. */
function milliseconds(sorted: readonly number[], share: number): string {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  return value === undefined ? '-' : `${value.toFixed(1)} ms`;
}

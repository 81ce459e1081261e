import { expect, it } from 'vitest';

import { check } from '../../faults/check/check.js';
import type { Violation } from '../../faults/check/violation.js';
import type { History } from '../../faults/history/records.js';
import { HistoryBuilder } from './history-builder.js';

type Rule = Violation['rule'];
type Build = (history: HistoryBuilder) => HistoryBuilder | History;

function made(build: Build): History {
  const history = build(new HistoryBuilder());
  return history instanceof HistoryBuilder ? history.build() : history;
}

/** The history breaks this rule, and no other; the text says how. */
export function itBreaks(rule: Rule, name: string, text: RegExp, build: Build): void {
  it(`breaks: ${name}`, () => {
    const violations = check(made(build));
    expect(violations[0]?.text).toMatch(text);
    expect([...new Set(violations.map((violation) => violation.rule))]).toEqual([rule]);
  });
}

export function itKeeps(name: string, build: Build): void {
  it(`keeps: ${name}`, () => expect(check(made(build))).toEqual([]));
}

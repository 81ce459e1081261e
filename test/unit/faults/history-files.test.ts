import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { HistoryWriter, now } from '../../faults/history/history-writer.js';
import { readHistory } from '../../faults/history/read-history.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'history-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (name: string) => join(folder, name);

describe('the files of a history', () => {
  it('give back what was written, by process, in order', async () => {
    const before = now();
    const b = new HistoryWriter(file('b.jsonl'));
    const a = new HistoryWriter(file('a.jsonl'));
    b.write({ kind: 'begin', tx: 't1', messages: [{ uid: 'ü1', type: 'x', key: 'a\nb' }] });
    a.write({ kind: 'rewound', consumer: 'c', position: 7 }, 5.25);
    b.write({ kind: 'committed', tx: 't1' });
    a.close();
    b.close();
    appendFileSync(file('notes.txt'), 'no history');

    const [first, second] = await readHistory(folder);
    expect(first).toEqual({
      process: 'a',
      records: [{ kind: 'rewound', at: 5.25, consumer: 'c', position: 7 }],
    });
    expect(second?.process).toBe('b');
    expect(second?.records).toMatchObject([
      { kind: 'begin', tx: 't1', messages: [{ uid: 'ü1', type: 'x', key: 'a\nb' }] },
      { kind: 'committed', tx: 't1' },
    ]);
    const [begin, end] = second!.records.map(({ at }) => at);
    expect(begin).toBeGreaterThan(before);
    expect(end).toBeGreaterThan(begin!);
    expect(end).toBeLessThan(now());
  });

  it('reads a long file, in which lines and characters lie across chunks', async () => {
    const writer = new HistoryWriter(file('long.jsonl'));
    for (let i = 0; i < 30_000; i += 1) writer.write({ kind: 'aborted', tx: `tä${'ö'.repeat(i % 40)}${i}` });
    writer.close();
    const [{ records } = { records: [] }] = await readHistory(folder);
    expect(records.map((record) => ('tx' in record ? record.tx : ''))).toEqual(
      Array.from({ length: 30_000 }, (_, i) => `tä${'ö'.repeat(i % 40)}${i}`),
    );
  });

  it.each([
    ['cut off', '{"kind":"aborted","at":2,"t', 1],
    ['cut off before its first byte', '', 1],
    ['cut off before its end of line only', '{"kind":"aborted","at":2,"tx":"b"}', 2],
  ])('takes a last line that is %s', async (_, tail, count) => {
    writeFileSync(file('killed.jsonl'), `{"kind":"aborted","at":1,"tx":"a"}\n${tail}`);
    expect((await readHistory(folder))[0]?.records).toHaveLength(count);
  });

  it.each([
    ['in the middle', '{"kind":"abor\n{"kind":"aborted","at":2,"tx":"b"}\n'],
    ['at the end, though its line is complete', '{"kind":"aborted","at":2,"tx":"b"}\n{"kind":"abor\n'],
  ])('refuses a broken line %s', async (_, text) => {
    writeFileSync(file('broken.jsonl'), text);
    await expect(readHistory(folder)).rejects.toThrow(/No JSON at .*broken\.jsonl:\d/);
  });

  it('never continues a file: a line that was cut off would be in its middle', () => {
    new HistoryWriter(file('a.jsonl')).close();
    expect(() => new HistoryWriter(file('a.jsonl'))).toThrow(/EEXIST/);
  });
});

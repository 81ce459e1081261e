import type { Seen } from '../../history/records.js';
import type { HistoryIndex, Of, ReaderEvent } from '../history-index.js';
import type { Tell } from '../violation.js';

/**
 * From where it opens, a reader gets every message once and in order. It may be told that its position is lost, but only
 * where that has been overwritten; then it gets nothing more until it opens again.
 */
export function readers(index: HistoryIndex, tell: Tell): void {
  for (const [reader, events] of index.readers) oneReader(reader, events, index, tell);
}

function oneReader(reader: string, events: readonly ReaderEvent[], index: HistoryIndex, tell: Tell): void {
  const { first } = index.final;
  let open: Of<'open'> | undefined;
  /** Undefined before the first entry, unless it was opened at a position. */
  let next: number | undefined;
  for (const event of events) {
    if (event.kind === 'open') {
      open = event;
      next = startOf(event.cursor);
    } else if (event.kind === 'position lost') {
      if ((next ?? 1) >= first) {
        const text = `${reader} was told at ${event.at} that ${next ?? 'its place'} is lost, and the log still begins at ${first}`;
        tell(text, { readers: [reader], positions: next === undefined ? [] : [next] });
      }
      open = undefined;
    } else if (open === undefined) {
      tell(`${reader} got messages at ${event.at}, and was not open`, { readers: [reader] });
    } else {
      for (const seen of event.entries) {
        const wrong = next === undefined ? wrongStart(seen, open.cursor, index) : wrongStep(seen.position, next);
        if (wrong !== undefined) {
          tell(`${reader}, opened at ${open.at} from ${JSON.stringify(open.cursor)}, got at ${event.at} ${wrong}`, {
            readers: [reader],
            positions: next === undefined ? [seen.position] : [next - 1, next, seen.position],
          });
        }
        next = seen.position + 1;
      }
    }
  }
}

function startOf(cursor: Of<'open'>['cursor']): number | undefined {
  return typeof cursor === 'object' && 'position' in cursor ? cursor.position + 1 : undefined;
}

function wrongStep(position: number, next: number): string | undefined {
  if (position === next) return undefined;
  return `${position} instead of ${next}: ${position > next ? 'it skipped' : 'it went back'}`;
}

/** What is wrong with its first message; after an `end` any may come. */
function wrongStart(
  { position, created }: Seen,
  cursor: Of<'open'>['cursor'],
  { final, log }: HistoryIndex,
): string | undefined {
  if (cursor === 'beginning') {
    // The lowest position has only risen since.
    return position > final.first ? `${position} first, and the log has ${final.first}` : undefined;
  }
  if (typeof cursor !== 'object' || !('date' in cursor)) return undefined;
  if (created < cursor.date) return `${position} first, created ${created}`;
  const before = log.get(position - 1);
  if (before === undefined || before.created < cursor.date) return undefined;
  return `${position} first, and not ${before.position}, created ${before.created}`;
}

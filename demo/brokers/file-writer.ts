import { open, type FileHandle } from 'node:fs/promises';
import { wallClock } from '../wall-clock.js';
import type { TopicWriter } from './broker.js';

const NEWLINE = 0x0a;
const CHUNK_BYTES = 64 * 1024;

/**
 * A topic as an append-only file, one JSON line for each message; a publish is acknowledged when the disk has it.
 *
 * A relay that is killed in the middle of a write can leave a last line without its end. It was never acknowledged, so
 * the cursor is not past it and the message comes again: the rest of the line is cut off before anything is appended.
 */
export async function openFileWriter(path: string): Promise<TopicWriter> {
  const file = await open(path, 'a+');
  await cutTornLine(file);
  return {
    async publish(messages) {
      const publishedAt = wallClock();
      const lines = messages.map((message) => `${JSON.stringify({ ...message, publishedAt })}\n`);
      await file.appendFile(lines.join(''));
      await file.datasync();
    },
    close: () => file.close(),
  };
}

async function cutTornLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  const whole = await endOfLastLine(file, size);
  if (whole < size) await file.truncate(whole);
}

/** Searched backwards, so that a long file costs no more than a short one. */
async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const { bytesRead } = await file.read(chunk, 0, end - start, start);
    const newline = chunk.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline >= 0) return start + newline + 1;
    end = start;
  }
  return 0;
}

import type { LogMark } from '../store/log-marks.js';

/** A size, or a room, by both measures of a capped collection. */
export interface Extent {
  bytes: number;
  messages: number;
}

/** What decides how much may be appended without the server evicting anything above the floor. */
export interface RoomFigures {
  /** The capped size as the server uses it, and the cap by count if there is one. */
  cap: { sizeBytes: number; maxMessages: number | undefined };
  /** The end of the log. */
  base: LogMark;
  /** At and below it the log may be overwritten. */
  floor: LogMark;
  /** By how much the server counts more than there is. */
  drift: Extent;
  /** The largest append of any sequencer. */
  largest: Extent;
}

/** What fits into the log. */
export interface Room extends Extent {
  /** Nothing is above the floor: one message is appended in any case, since the server never evicts the newest entry. */
  nothingUnpassed: boolean;
}

/**
 * By how much the server's count is above what is there. The server evicts by its own count, which is wrong after a
 * crash, counts the genesis entry, and stray ones. One that is too low only makes the log larger than its cap.
 *
 * @param overwritten the mark before the oldest entry, read after `reported`; and `base` before it: what is appended
 * meanwhile then makes the drift too large, never too small
 */
export function driftOf(reported: Extent, overwritten: LogMark, base: LogMark): Extent {
  return {
    bytes: Math.max(0, reported.bytes - Number(base.bytes - overwritten.bytes)),
    messages: Math.max(0, reported.messages - (base.position - overwritten.position)),
  };
}

/**
 * How much may be appended now: what is above the floor, the batch, the drift and one largest append must fit into the
 * cap. The last is what a stale sequencer may still send: it ends as stray entries, which make the server evict too.
 */
export function roomAbove({ cap, base, floor, drift, largest }: RoomFigures): Room {
  const unpassed = unpassedAbove(floor, base);
  return {
    bytes: cap.sizeBytes - unpassed.bytes - drift.bytes - largest.bytes,
    messages: (cap.maxMessages ?? Infinity) - unpassed.messages - drift.messages - largest.messages,
    nothingUnpassed: unpassed.messages === 0,
  };
}

/** What is above the floor, and must stay. A floor above the end is that of an older log of this name. */
export function unpassedAbove(floor: LogMark, base: LogMark): Extent {
  return {
    bytes: Math.max(0, Number(base.bytes - floor.bytes)),
    messages: Math.max(0, base.position - floor.position),
  };
}

/** Whether the batch can be appended as it is. */
export function fits(batch: Extent, room: Room): boolean {
  return (
    (batch.bytes <= room.bytes && batch.messages <= room.messages) || (batch.messages === 1 && room.nothingUnpassed)
  );
}

/** The floor is raised by a sixteenth of the log beyond what is needed, so seldom enough to cost nothing by the message. */
const strides = 16;

/** How far the floor must be raised for the batch to fit; each measure that has room enough asks for less than there is. */
export interface FloorTarget {
  /** The running count at the new floor: at least, and at most if entries end there. */
  leastBytes: bigint;
  mostBytes: bigint;
  position: number;
}

export function floorTarget(figures: RoomFigures, batch: Extent): FloorTarget {
  const { cap, base } = figures;
  // With the floor at the end, this is what would be left beside the batch; so much may stand above the floor.
  const { bytes, messages } = roomAbove({ ...figures, floor: base });
  const leastBytes = base.bytes - BigInt(bytes - batch.bytes);
  const stride = { bytes: Math.floor(cap.sizeBytes / strides), messages: Math.floor((cap.maxMessages ?? 0) / strides) };
  const mostUnpassed = messages - batch.messages - stride.messages;
  return {
    leastBytes,
    mostBytes: leastBytes + BigInt(stride.bytes),
    position: cap.maxMessages === undefined ? 0 : Math.min(base.position, base.position - mostUnpassed),
  };
}

import type { ServerNode } from '../../../dev/server-process.js';
import type { Fleet, Member } from '../fleet.js';
import { rest } from '../processes/context.js';
import type { Role } from '../processes/task.js';
import type { Site } from '../site.js';

/** A fault that was injected, on the clock of the histories. */
export interface Injection {
  readonly kind: string;
  /** What it hit. */
  readonly target: string;
  readonly from: number;
  /** From when on nothing stood in the way of recovery: of a kill its own time, else the end of the fault. */
  readonly until: number;
}

/** What a nemesis works on. */
export interface Field {
  readonly fleet: Fleet;
  readonly site: Site;
  readonly database: string;
  readonly leaseMs: number;
  /** Longest time for which a fault lasts. */
  readonly longestMs: number;
  readonly random: () => number;
  /** Ends faults early. */
  readonly stop: AbortSignal;
}

/** Injects one fault, ends it, and tells what it did; undefined where it found nothing to harm. */
export type Nemesis = (field: Field) => Promise<Omit<Injection, 'kind'> | undefined>;

export function pick<T>(items: readonly T[], random: () => number): T | undefined {
  return items[Math.floor(random() * items.length)];
}

/** For a while, that of the fault: at least a quarter of the longest. */
export function hold({ longestMs, random, stop }: Field, atLeastMs = 0): Promise<void> {
  return rest(Math.max(atLeastMs, longestMs * (0.25 + 0.75 * random())), stop);
}

const harmless: readonly Role[] = ['destination'];

/** A process that uses the library. */
export function anyMember({ fleet, random }: Field): Member | undefined {
  return pick(
    fleet.members.filter(({ seat, hasEnded }) => !harmless.includes(seat.role) && !hasEnded),
    random,
  );
}

/** The process that holds a lease: its owner's name tells the process id. */
async function holderOf(field: Field, lease: string): Promise<Member | undefined> {
  const owner = await field.site.onPrimary(async (client) => {
    const state = client.db(field.database).collection<{ _id: string; owner: string | null }>('Faults.state');
    return (await state.findOne({ _id: lease }))?.owner;
  });
  const pid = Number(owner?.split(':').at(-2));
  return field.fleet.members.find((member) => member.pid === pid && !member.hasEnded);
}

export const sequencer = (field: Field): Promise<Member | undefined> => holderOf(field, 'sequencer');

/** Who holds one of the consumers. */
export function consumerHolder(field: Field): Promise<Member | undefined> {
  const name = pick(['keyed', 'strict', 'relay', 'projection', 'drained'], field.random);
  return holderOf(field, `lease:${name}`);
}

export function nodeName(node: ServerNode): string {
  return `mongod ${node.port}`;
}

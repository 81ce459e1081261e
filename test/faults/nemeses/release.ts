import { now } from '../history/history-writer.js';
import type { Seat } from '../fleet.js';
import { pick, type Nemesis } from './field.js';

/**
 * A rolling deploy: a process of the old release, which does not know the newest message type, closes, and one of the new
 * release takes its seat. Writers are as likely to be first as the workers that will meet the type.
 */
const deploy: Nemesis = async ({ fleet, random }) => {
  const member = pick(
    fleet.members.filter(({ seat }) => seat.task.release === 'old'),
    random,
  );
  if (member === undefined) return undefined;
  const from = now();
  toNewRelease(member.seat);
  await fleet.close(member);
  return { target: member.process, from, until: now() };
};

export function toNewRelease(seat: Seat): void {
  seat.task = { ...seat.task, release: 'new' };
}

export const releaseNemeses = { 'deploy new release': deploy } satisfies Record<string, Nemesis>;

import { now } from '../history/history-writer.js';
import type { Member } from '../fleet.js';
import { anyMember, consumerHolder, hold, sequencer, type Field, type Nemesis } from './field.js';

type Choice = (field: Field) => Promise<Member | undefined> | Member | undefined;

const HOUR_MS = 3_600_000;

function killing(choose: Choice): Nemesis {
  return async (field) => {
    const member = await choose(field);
    if (member === undefined) return undefined;
    const at = now();
    await field.fleet.kill(member);
    return { target: member.process, from: at, until: at };
  };
}

/** The fault is over, for those who wait, as soon as the old process has closed: then a standby takes over at once. */
function closing(choose: Choice): Nemesis {
  return async (field) => {
    const member = await choose(field);
    if (member === undefined) return undefined;
    const from = now();
    await field.fleet.close(member);
    return { target: member.process, from, until: now() };
  };
}

/** SIGSTOP for longer than its lease, so that it goes on believing what is true no more. Others take over meanwhile. */
function pausing(choose: Choice): Nemesis {
  return async (field) => {
    const member = await choose(field);
    if (member === undefined) return undefined;
    const from = now();
    member.signal('SIGSTOP');
    await hold(field, field.leaseMs * 1.5);
    member.signal('SIGCONT');
    return { target: member.process, from, until: from };
  };
}

/** An hour ahead or behind, for a while; the jumps there and back are faults as well. */
const wrongClock: Nemesis = async (field) => {
  const member = anyMember(field);
  if (member === undefined) return undefined;
  const from = now();
  member.send({ kind: 'clock', ms: field.random() < 0.5 ? HOUR_MS : -HOUR_MS });
  await hold(field);
  member.send({ kind: 'clock', ms: 0 });
  return { target: member.process, from, until: now() };
};

export const processNemeses = {
  'kill process': killing(anyMember),
  'kill sequencer': killing(sequencer),
  'kill consumer': killing(consumerHolder),
  'close process': closing(anyMember),
  'close sequencer': closing(sequencer),
  'pause process': pausing(anyMember),
  'pause sequencer': pausing(sequencer),
  'pause consumer': pausing(consumerHolder),
  'wrong clock': wrongClock,
} satisfies Record<string, Nemesis>;

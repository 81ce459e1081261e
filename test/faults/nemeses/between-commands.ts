import { now } from '../history/history-writer.js';
import type { Member } from '../fleet.js';
import { rest } from '../processes/context.js';
import type { Role } from '../processes/task.js';
import { failCommand } from './fail-point.js';
import { anyMember, consumerHolder, pick, sequencer, type Field, type Nemesis } from './field.js';

/** What the sequencer sends; any process of them may be it. */
const moves = ['insert', 'delete', 'find', 'findAndModify'] as const;
/** What consumers send. */
const handles = ['find', 'update', 'findAndModify', 'commitTransaction', 'aggregate'] as const;
const puts = ['insert', 'commitTransaction'] as const;

/** What a process of each role sends often enough to be met. */
const sends: Readonly<Record<Role, readonly string[]>> = {
  writer: puts,
  reader: ['find'],
  worker: handles,
  drainer: [...moves, ...handles],
  admin: ['find', 'findAndModify', 'aggregate'],
  destination: [],
};

/** How long the next command of the kind is waited for. */
const MEET_MS = 1_500;

/**
 * Lets the server hold the next command of a kind from one process, and strikes while it is held: that is between any two
 * steps, without a hook in the library. The command itself is carried out afterwards, like a request still in flight.
 */
function strikingAt(
  choose: (field: Field) => Promise<Member | undefined> | Member | undefined,
  kinds: readonly string[] | undefined,
  strike: (field: Field, member: Member) => Promise<void>,
): Nemesis {
  return async (field) => {
    const member = await choose(field);
    if (member === undefined) return undefined;
    const command = pick(kinds ?? sends[member.seat.role], field.random);
    if (command === undefined) return undefined;
    const fault = { failCommands: [command], appName: member.process, blockConnection: true, blockTimeMS: 1_000 };
    const point = await failCommand(field, fault, { times: 1 });
    try {
      if (!(await point.met(MEET_MS))) return undefined;
      const at = now();
      await strike(field, member);
      return { target: `${member.process} in ${command}`, from: at, until: at };
    } finally {
      await point.off();
    }
  };
}

const kill = async ({ fleet }: Field, member: Member): Promise<void> => fleet.kill(member);

/** Past its lease: the command is carried out long before the process learns of it. */
const pause = async ({ leaseMs, stop }: Field, member: Member): Promise<void> => {
  member.signal('SIGSTOP');
  await rest(leaseMs * 1.5, stop);
  member.signal('SIGCONT');
};

const leader = async (field: Field) => (await sequencer(field)) ?? anyMember(field);
const owner = async (field: Field) => (await consumerHolder(field)) ?? anyMember(field);

export const betweenCommandsNemeses = {
  'kill between commands': strikingAt(anyMember, undefined, kill),
  'kill sequencer between commands': strikingAt(leader, moves, kill),
  'kill consumer between commands': strikingAt(owner, handles, kill),
  'pause before an append': strikingAt(leader, ['insert'], pause),
  'pause between commands': strikingAt(owner, handles, pause),
} satisfies Record<string, Nemesis>;

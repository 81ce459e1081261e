import { now } from '../history/history-writer.js';
import type { Member } from '../fleet.js';
import { rest } from '../processes/context.js';
import { failCommand } from './fail-point.js';
import { anyMember, consumerHolder, pick, sequencer, type Field, type Nemesis } from './field.js';

const commands = ['insert', 'delete', 'find', 'update', 'findAndModify', 'commitTransaction', 'aggregate'] as const;

/** How long the next command of the kind is waited for. */
const MEET_MS = 3_000;

/**
 * Lets the server hold the next command of a kind from one process, and strikes while it is held: that is between any two
 * steps, without a hook in the library. The command itself is carried out afterwards, like a request still in flight.
 */
function strikingAt(
  choose: (field: Field) => Promise<Member | undefined> | Member | undefined,
  kinds: readonly string[],
  strike: (field: Field, member: Member) => Promise<void>,
): Nemesis {
  return async (field) => {
    const member = await choose(field);
    const command = pick(kinds, field.random);
    if (member === undefined || command === undefined) return undefined;
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
  'kill between commands': strikingAt(anyMember, commands, kill),
  'kill sequencer between commands': strikingAt(leader, ['insert', 'delete', 'find', 'findAndModify'], kill),
  'kill consumer between commands': strikingAt(owner, commands, kill),
  'pause before an append': strikingAt(leader, ['insert'], pause),
  'pause between commands': strikingAt(owner, commands, pause),
} satisfies Record<string, Nemesis>;

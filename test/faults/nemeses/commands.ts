import { now } from '../history/history-writer.js';
import { failCommand } from './fail-point.js';
import { anyMember, hold, pick, type Nemesis } from './field.js';

const writes = ['insert', 'update', 'delete', 'findAndModify', 'commitTransaction'] as const;
const reads = ['find', 'aggregate', 'getMore'] as const;

/** From MongoDB's src/mongo/base/error_codes.yml: what a full disk, a shutdown, an election and a busy server say. */
const codes = {
  OutOfDiskSpace: 14_031,
  ShutdownInProgress: 91,
  NotWritablePrimary: 10_107,
  InterruptedDueToReplStateChange: 11_602,
  MaxTimeMSExpired: 50,
  LockTimeout: 24,
} as const;

/** Everybody's commands fail by chance, for a while. */
const failing: Nemesis = async (field) => {
  const [name, errorCode] = pick(Object.entries(codes), field.random)!;
  const point = await failCommand(
    field,
    { failCommands: [...writes, ...reads], errorCode },
    { activationProbability: 0.1 },
  );
  const from = now();
  await hold(field);
  await point.off();
  return { target: name, from, until: now() };
};

/** The server did it and cannot say whether it will last. */
const unsure: Nemesis = async (field) => {
  const writeConcernError = { code: 64, errmsg: 'waiting for replication timed out' };
  const point = await failCommand(
    field,
    { failCommands: [...writes], writeConcernError },
    { activationProbability: 0.1 },
  );
  const from = now();
  await hold(field);
  await point.off();
  return { target: 'writes', from, until: now() };
};

const closing: Nemesis = async (field) => {
  const point = await failCommand(
    field,
    { failCommands: [...writes, ...reads], closeConnection: true },
    { activationProbability: 0.05 },
  );
  const from = now();
  await hold(field);
  await point.off();
  return { target: 'all', from, until: now() };
};

/** Error 40573 is what a server without change streams says; cursors that are open die with the connection. */
const noChangeStreams: Nemesis = async (field) => {
  const point = await failCommand(field, { failCommands: ['aggregate'], errorCode: 40_573 }, 'alwaysOn');
  const from = now();
  const member = anyMember(field);
  if (member !== undefined) await field.fleet.close(member);
  await hold(field);
  await point.off();
  return { target: 'aggregate', from, until: now() };
};

/** Single commands of one process take long. */
const slow: Nemesis = async (field) => {
  const member = anyMember(field);
  if (member === undefined) return undefined;
  const fault = {
    failCommands: [...writes, ...reads],
    appName: member.process,
    blockConnection: true,
    blockTimeMS: 400,
  };
  const point = await failCommand(field, fault, { activationProbability: 0.2 });
  const from = now();
  await hold(field);
  await point.off();
  return { target: member.process, from, until: now() };
};

export const commandNemeses = {
  'commands fail': failing,
  'write concern errors': unsure,
  'connections close': closing,
  'change streams refused': noChangeStreams,
  'commands slow': slow,
} satisfies Record<string, Nemesis>;

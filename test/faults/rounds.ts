import type { ServiceOutboxOptions } from '../../src/index.js';
import type { BrokerName } from './brokers/broker.js';
import type { NemesisName } from './nemeses/nemeses.js';
import type { Release } from './processes/messages.js';
import type { Load, Role } from './processes/task.js';

/** One server, one set of processes, and the faults that they are to stand. */
export interface Round {
  readonly name: string;
  readonly nodes: 1 | 3;
  readonly proxied: boolean;
  /** The real broker that the relay publishes to. @defaultValue none: to the destination's process */
  readonly broker?: BrokerName;
  readonly nemeses: readonly NemesisName[];
  /** Faults at the same time. */
  readonly atOnce: number;
  /** Between two faults, on average. */
  readonly pauseMs: number;
  /** Longest time for which one fault lasts. */
  readonly longestMs: number;
  readonly seconds: number;
  readonly options: Pick<ServiceOutboxOptions, 'sizeBytes' | 'maxMessages' | 'leaseMs' | 'closeTimeoutMs'> & {
    leaseMs: number;
  };
  readonly poolSize: number;
  readonly crew: Readonly<Record<Role, number>>;
  readonly load: Load;
  /** The release that the processes have at first. */
  readonly release: Release;
}

const load: Load = {
  lanes: 4,
  pauseMs: 60,
  longMs: 3_000,
  largest: 12,
  padBytes: 0,
  failing: 0.003,
  poison: 0.001,
};

const usual: Omit<Round, 'name' | 'nemeses'> = {
  nodes: 1,
  proxied: false,
  atOnce: 1,
  pauseMs: 500,
  longestMs: 3_000,
  seconds: 14,
  options: { leaseMs: 2_000, closeTimeoutMs: 5_000 },
  poolSize: 20,
  crew: { destination: 1, worker: 2, reader: 2, drainer: 1, admin: 1, writer: 2 },
  load,
  release: 'new',
};

const processes = [
  'kill process',
  'kill sequencer',
  'kill consumer',
  'close process',
  'close sequencer',
  'pause process',
  'pause sequencer',
  'pause consumer',
  'wrong clock',
] as const satisfies readonly NemesisName[];

const betweenCommands = [
  'kill between commands',
  'kill sequencer between commands',
  'kill consumer between commands',
  'pause before an append',
  'pause between commands',
] as const satisfies readonly NemesisName[];

const network = [
  'network cut',
  'network held',
  'network half-open',
  'replies lost',
  'network slow',
] as const satisfies readonly NemesisName[];

const commands = [
  'commands fail',
  'write concern errors',
  'connections close',
  'change streams refused',
  'commands slow',
] as const satisfies readonly NemesisName[];

const destination = [
  'destination down',
  'destination slow',
  'destination refuses batches',
  'destination refuses messages',
  'destination answers late',
  'kill destination',
] as const satisfies readonly NemesisName[];

/** Of a relay to a real broker. */
const toBroker: Omit<Round, 'name'> = {
  ...usual,
  nemeses: ['kill broker', 'pause broker', 'kill consumer'],
  pauseMs: 1_500,
  seconds: 20,
  // A broker takes whatever it is given.
  load: { ...load, failing: 0, poison: 0 },
};

/** Every fault by itself, each with its kin; first, with little to do, how long it takes to recover from the usual ones. */
export const ROUNDS: readonly Round[] = [
  {
    ...usual,
    name: 'recovery',
    nodes: 3,
    nemeses: ['kill sequencer', 'close sequencer', 'step down'],
    pauseMs: 2_000,
    seconds: 30,
    crew: { destination: 1, worker: 2, reader: 2, drainer: 1, admin: 0, writer: 1 },
    load: { ...load, lanes: 1, pauseMs: 10, longMs: 0, largest: 1, failing: 0, poison: 0 },
  },
  { ...usual, name: 'processes', nemeses: processes, atOnce: 2 },
  { ...usual, name: 'between commands', nemeses: betweenCommands, pauseMs: 100 },
  { ...usual, name: 'elections', nodes: 3, nemeses: ['step down', 'kill mongod', 'pause mongod', 'kill secondary'] },
  { ...usual, name: 'restarts', nemeses: ['kill mongod'], pauseMs: 3_000 },
  { ...usual, name: 'network', proxied: true, nemeses: network },
  { ...usual, name: 'commands', nemeses: commands },
  {
    ...usual,
    name: 'tiny log',
    nemeses: [
      'kill mongod',
      'kill sequencer',
      'kill consumer',
      'pause sequencer',
      'destination down',
      'pause before an append',
    ],
    options: { ...usual.options, sizeBytes: 1024 * 1024, maxMessages: 700 },
    load: { ...load, padBytes: 1_500 },
  },
  { ...usual, name: 'destination', nemeses: destination },
  { ...usual, name: 'deploy', release: 'old', nemeses: ['deploy new release', 'kill process'], poolSize: 3 },
  // It takes longest to start again.
  { ...toBroker, name: 'kafka', broker: 'kafka', seconds: 30 },
  { ...toBroker, name: 'rabbitmq', broker: 'rabbitmq' },
  { ...toBroker, name: 'nats', broker: 'nats' },
  { ...toBroker, name: 'redis', broker: 'redis' },
];

/** Every fault, on three nodes, two at a time. */
export const MIXED: Round = {
  ...usual,
  name: 'mixed',
  nodes: 3,
  proxied: true,
  atOnce: 2,
  pauseMs: 1_500,
  longestMs: 6_000,
  seconds: 30,
  nemeses: [
    ...processes,
    ...betweenCommands,
    ...network,
    ...commands,
    ...destination,
    'step down',
    'kill mongod',
    'pause mongod',
    'kill secondary',
    'deploy new release',
  ],
  release: 'old',
  load: { ...load, longMs: 20_000 },
};

/** The same for longer, with large transactions among the small ones. */
export const SOAK: Round = { ...MIXED, name: 'soak', load: { ...MIXED.load, largest: 80 } };

import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { freePorts } from '../../dev/free-ports.js';
import type { Mongod } from '../../dev/mongod.js';
import { seededRandom } from '../../demo/random.js';
import { anyOf } from '../../src/internal/abort.js';
import type { RoundBroker } from './brokers/broker.js';
import { check } from './check/check.js';
import { checkTopic } from './check/check-topic.js';
import type { Violation } from './check/violation.js';
import { readFinalState } from './final-state.js';
import { Fleet, type Seat } from './fleet.js';
import { readHistory } from './history/read-history.js';
import type { History } from './history/records.js';
import { pick, type Field, type Injection } from './nemeses/field.js';
import { NEMESES } from './nemeses/nemeses.js';
import { toNewRelease } from './nemeses/release.js';
import { CONSUMERS } from './processes/consumers.js';
import { rest } from './processes/context.js';
import type { Role, Task } from './processes/task.js';
import { recoveries, type Recovery } from './recovery.js';
import type { Round } from './rounds.js';
import { settle } from './settle.js';
import { openSite, type Site } from './site.js';

const DATABASE = 'faults';
/** Consumers and readers begin before what they are to read. */
const startOrder: readonly Role[] = ['destination', 'worker', 'reader', 'drainer', 'admin', 'writer'];

export interface RoundResult {
  readonly injections: readonly Injection[];
  readonly recoveries: readonly Recovery[];
  readonly violations: readonly Violation[];
  /** Processes that were started in all. */
  readonly processes: number;
  readonly history: History;
  /** From the end of the faults until everything had come to everybody. */
  readonly settledMs: number;
}

export interface RoundRun {
  readonly round: Round;
  readonly seed: number;
  readonly mongod: Mongod;
  /** For histories and logs; empty. */
  readonly folder: string;
  /** Ends the round early; it rejects then. */
  readonly stop: AbortSignal;
  note(process: string, text: string): void;
}

/** Runs one round: processes at work, faults, an end to both, and what is then to be found. */
export async function runRound({ round, seed, mongod, folder, stop, note }: RoundRun): Promise<RoundResult> {
  const violations: Violation[] = [];
  const violate = (text: string): void => void violations.push({ rule: 'process', text });
  const random = seededRandom(seed);
  const site = await openSite({ ...round, mongod });
  const fleet = new Fleet(violate, note);
  try {
    await man(fleet, site, { round, seed, folder });
    const injections = await inject(round, { fleet, site, random, stop }, note);
    stop.throwIfAborted();
    await heal(fleet, site);
    const healedAt = performance.now();
    await fleet.stop('writer', 'admin');
    const missing = await settle(site.set.uri, DATABASE, fleet);
    const settledMs = performance.now() - healedAt;
    if (missing !== undefined) violate(`did not come to rest:\n${missing}`);
    await fleet.stop('worker', 'reader', 'drainer');
    await fleet.stop('destination');
    const final = await readFinalState(site.set.uri, DATABASE);
    const history: History = { processes: await readHistory(folder), final };
    // A round in which nothing happened proves nothing.
    if (injections.length === 0) violate('no fault could be injected');
    if (final.last === 0) violate('nothing was put');
    violations.push(...check(history));
    if (site.broker !== undefined) (await leftIn(site.broker, history, injections)).forEach(violate);
    const takeAll = Object.keys(CONSUMERS).filter(
      (name) => !('types' in CONSUMERS[name as keyof typeof CONSUMERS].options),
    );
    return {
      injections,
      recoveries: recoveries(injections, history.processes, takeAll),
      violations,
      processes: fleet.started,
      history,
      settledMs,
    };
  } finally {
    await fleet.killAll();
    for (const node of site.set.nodes) copyFileSync(node.log, join(folder, `mongod-${node.port}.log`));
    await site.stop();
  }
}

/** What is wrong with what the relay has left in the broker's topic. */
async function leftIn(
  broker: RoundBroker,
  { processes, final }: History,
  injections: readonly Injection[],
): Promise<string[]> {
  const given = new Map<number, number>();
  for (const record of processes.flatMap(({ records }) => records))
    if (record.kind === 'delivery' && record.consumer === 'relay')
      for (const { position } of record.entries) given.set(position, (given.get(position) ?? 0) + 1);
  return checkTopic(
    await broker.records(),
    final.last,
    given,
    CONSUMERS.relay.options.batchSize * injections.filter(({ target }) => target === broker.place.broker).length,
  );
}

async function man(fleet: Fleet, site: Site, { round, seed, folder }: Pick<RoundRun, 'round' | 'seed' | 'folder'>) {
  mkdirSync(folder, { recursive: true });
  const [port] = await freePorts(1);
  const task = {
    folder,
    database: DATABASE,
    options: round.options,
    release: round.release,
    poolSize: round.poolSize,
    clockMs: 0,
    destination: `http://127.0.0.1:${port}`,
    load: round.load,
    ...(site.broker ? { broker: site.broker.place } : {}),
  } satisfies Partial<Task>;
  let count = 0;
  for (const role of startOrder)
    await Promise.all(
      Array.from({ length: round.crew[role] }, async (_, index) => {
        const name = `${role}${index + 1}`;
        const ownSeed = seed + (count += 1);
        const uri = role === 'destination' ? site.set.uri : await site.uri(name);
        // Every second reader takes no part in the election: only its own reading is at stake there.
        const options = role === 'reader' && index % 2 === 1 ? { ...task.options, sequencer: false } : task.options;
        const seat: Seat = { name, role, task: { ...task, options, role, uri, seed: ownSeed } };
        await fleet.start(seat);
      }),
    );
}

/** Faults, until the time is over. */
async function inject(
  round: Round,
  { fleet, site, random, stop }: Pick<Field, 'fleet' | 'site' | 'random' | 'stop'>,
  note: RoundRun['note'],
): Promise<Injection[]> {
  const injections: Injection[] = [];
  const over = anyOf(stop, AbortSignal.timeout(round.seconds * 1_000));
  const { leaseMs } = round.options;
  const field: Field = { fleet, site, database: DATABASE, leaseMs, longestMs: round.longestMs, random, stop: over };
  // Each fault at least once where the time allows: a shuffled deck is better than dice.
  let deck: Round['nemeses'][number][] = [];
  const draw = () => {
    if (deck.length === 0) deck = [...round.nemeses];
    const name = pick(deck, random)!;
    deck = deck.filter((other) => other !== name);
    return name;
  };
  const lane = async (): Promise<void> => {
    while (!over.aborted) {
      await rest(round.pauseMs * (0.5 + random()), over);
      if (over.aborted) return;
      const kind = draw();
      try {
        const injection = await NEMESES[kind](field);
        if (injection !== undefined) injections.push({ kind, ...injection });
        note('fault', `${kind}: ${injection?.target ?? 'nothing to harm'}`);
      } catch (error) {
        note('fault', `${kind} could not be injected: ${String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: round.atOnce }, lane));
  return injections;
}

/** Every nemesis ends its own fault; this is for those that were themselves disturbed, and for processes of the old release. */
async function heal(fleet: Fleet, site: Site): Promise<void> {
  for (const proxy of site.proxies.values()) proxy.become('clear');
  for (const node of site.set.nodes) {
    node.resume();
    if (node.pid === undefined) await node.restart();
  }
  await site.set.settled();
  site.broker?.node.resume();
  if (site.broker?.node.pid === undefined) await site.broker?.node.restart();
  for (const destination of fleet.byRole('destination')) destination.send({ kind: 'mood', mood: 'up' });
  for (const member of fleet.members) {
    member.signal('SIGCONT');
    member.send({ kind: 'clock', ms: 0 });
    if (member.seat.task.release === 'old') {
      toNewRelease(member.seat);
      await fleet.close(member);
    }
  }
}

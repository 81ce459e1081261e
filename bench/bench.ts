// `npm run bench`: the figures of the README. Ratios are taken within one run; absolute figures depend on the machine.
// `npm run bench -- kafka` measures what goes through Kafka alone, `npm run bench -- outbox` the rest.
import { cpus } from 'node:os';

import Table from 'cli-table3';

import { startKafka } from '../dev/brokers/kafka.js';
import { backlog, longHistory, pendingToRelay } from './consumers.js';
import { endToEnd } from './end-to-end.js';
import { idleLatency } from './idle-latency.js';
import { kafkaBacklog, kafkaEndToEnd, kafkaLatency, kafkaSides } from './kafka.js';
import { fillLog, readerMemory, tailStart } from './long-log.js';
import { plainAppend } from './plain-append.js';
import { putRatio } from './put-ratio.js';
import { startServer } from './setup.js';

const entries = 500_000;
const table = new Table({ head: ['what', 'measured', 'aim'], style: { head: [], border: [] } });
let missed = 0;

function report(what: string, measured: string, aim: string, met: boolean): void {
  if (!met) missed += 1;
  table.push([what, measured, `${aim}${met ? '' : '  (missed)'}`]);
  console.log(`${what}: ${measured}`);
}

const only = process.argv[2];
const { uri, stop } = await startServer();
try {
  if (only !== 'kafka') await benchOutbox();
  if (only !== 'outbox') await benchKafka();
} finally {
  await stop();
}

console.log(`\n${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}\n`);
console.log(table.toString());
process.exitCode = missed === 0 ? 0 : 1;

async function benchOutbox(): Promise<void> {
  const idle = await idleLatency(uri);
  report(
    'idle, commit acknowledged to delivered',
    `p50 ${idle.p50Ms.toFixed(1)} ms, p99 ${idle.p99Ms.toFixed(1)} ms`,
    'p50 5 ms, p99 40 ms or less',
    idle.p50Ms <= 5 && idle.p99Ms <= 40,
  );

  const put = await putRatio(uri);
  report(
    'put in a transaction, 16 writers, against the plain driver',
    `${put.ratio.toFixed(2)} (${put.putPerSecond} and ${put.plainPerSecond} transactions/s)`,
    '0.85 or more',
    put.ratio >= 0.85,
  );

  const append = await plainAppend(uri);
  const flow = await endToEnd(uri, 200_000);
  report(
    '200,000 messages, 100 a transaction, end to end',
    `${flow.deliveredPerSecond}/s (put ${flow.putPerSecond}/s; by fifths ${flow.fifths.join(', ')})`,
    '13,000/s or more, not falling over',
    flow.deliveredPerSecond >= 13_000,
  );
  const share = flow.deliveredPerSecond / append;
  report(
    'the same, against the plain driver appending to a capped collection with nothing else going on',
    `${share.toFixed(2)} (${append}/s)`,
    '0.5 or more',
    share >= 0.5,
  );

  const database = `long_log_${Date.now()}`;
  const opened = await fillLog(uri, database, entries);
  const startMs = await tailStart(opened, entries);
  report(
    'tail of the newest of 500,000 entries, first message',
    `${startMs.toFixed(0)} ms`,
    '500 ms or less',
    startMs <= 500,
  );

  const memory = await readerMemory(opened, entries);
  const growth = (memory.heapMiB.at(-1) ?? 0) - (memory.heapMiB[0] ?? 0);
  report(
    'memory of a reader while 500,000 messages pass',
    `${memory.heapMiB.join(', ')} MiB of heap; ${memory.perSecond} messages/s`,
    'flat',
    growth < 10,
  );
  await opened.outbox.close();
  await opened.connection.dropDatabase();
  await opened.close();

  const rates = await backlog(uri, 100_000);
  report(
    'relay of 100,000 entries to a publisher that does nothing, against the plain driver reading them in pages',
    `${rates.toPlain.toFixed(2)} (${Math.round(rates.relay)} and ${Math.round(rates.plain)} messages/s)`,
    '0.6 or more',
    rates.toPlain >= 0.6,
  );
  report(
    'consume with concurrency 16 and a handler of 1 ms, against 16 loops that call it',
    `${rates.toSlots.toFixed(2)} (${Math.round(rates.consume)} and ${Math.round(rates.slots)} messages/s)`,
    '0.8 or more',
    rates.toSlots >= 0.8,
  );
  report('consume in transactions', `${Math.round(rates.transactional)} messages/s`, 'none', true);
  const pending = await pendingToRelay(uri, 100_000);
  report(
    '100,000 pending messages, through the sequencer to a relay that does nothing',
    `${Math.round(pending)} messages/s`,
    '12,000/s or more',
    pending >= 12_000,
  );
  const history = await longHistory(uri, 1_000_000);
  const flat = history.last / history.first;
  report(
    "relay after 1,000,000 messages, against the first of them, each as a share of the plain driver's reading",
    `${flat.toFixed(2)} (${history.last.toFixed(2)} and ${history.first.toFixed(2)})`,
    '0.9 or more',
    flat >= 0.9,
  );
}

async function benchKafka(): Promise<void> {
  const broker = await startKafka();
  const { bootstrap } = broker;
  const sides = await kafkaSides(bootstrap);
  for (const { name, relay, bare, plain, toPlain, toBare } of await kafkaBacklog(uri, bootstrap, sides, 100_000)) {
    report(
      `relay of 100,000 entries to Kafka with ${name}, against that client sending them from memory`,
      `${toPlain.toFixed(2)} (${Math.round(relay)} and ${Math.round(plain)} messages/s)`,
      '0.7 or more',
      toPlain >= 0.7,
    );
    report(
      `the same relay, against a bare loop that reads with the driver and sends with ${name}`,
      `${toBare.toFixed(2)} (${Math.round(relay)} and ${Math.round(bare)} messages/s)`,
      'none',
      true,
    );
  }
  for (const side of sides) {
    const flow = await kafkaEndToEnd(uri, bootstrap, side, 100_000);
    report(
      `put, sequence, relay, acknowledged by Kafka, with ${side.name}`,
      `${Math.round(flow)} messages/s`,
      '5,000/s or more',
      flow >= 5_000,
    );
    const { p50Ms, p99Ms } = await kafkaLatency(uri, bootstrap, side);
    report(
      `idle, commit acknowledged to a Kafka consumer's having it, with ${side.name}`,
      `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
      'p50 25 ms or less',
      p50Ms <= 25,
    );
  }
  for (const side of sides) await side.close();
  await broker.stop();
}

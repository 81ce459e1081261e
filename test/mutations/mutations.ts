interface Edit {
  readonly file: string;
  /** Occurs once in the file. */
  readonly find: string;
  readonly replace: string;
}

/** A break of the library that a test has to notice. */
export interface Mutation {
  readonly name: string;
  /** What is no longer so. */
  readonly breaks: string;
  readonly edits: readonly Edit[];
  /** What must notice it: rounds of the fault suite, else files of tests, in the order in which they are tried. */
  readonly rounds?: readonly string[];
  readonly tests?: readonly string[];
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'no fence in the log',
    breaks: 'a sequencer that another one has overtaken takes its messages for appended',
    edits: [
      {
        file: 'src/store/append-to-log.ts',
        find: "if (failure.code === 11000) return 'overtaken';",
        replace: "if (failure.code === 11000) return 'appended';",
      },
    ],
    rounds: ['between commands', 'processes'],
    tests: ['test/integration/sequencer/any-number.test.ts'],
  },
  {
    name: 'no resolve',
    breaks: 'what is in the log already is not taken out of pending before more is appended',
    edits: [
      {
        file: 'src/sequencer/log-mover.ts',
        find: 'await deletePending(this.store, session, end.tokens, this.options.leaseMs);',
        replace: '',
      },
    ],
    rounds: ['between commands', 'commands'],
  },
  {
    name: 'delete before append',
    breaks: 'messages leave pending before they are in the log',
    edits: [
      {
        file: 'src/sequencer/log-mover.ts',
        find: 'const { position } = end;',
        replace:
          'const { position } = end; await deletePending(this.store, session, plan.tokens, this.options.leaseMs);',
      },
    ],
    rounds: ['between commands', 'commands'],
  },
  {
    name: 'resume by a remembered ts',
    breaks: 'a transaction that commits late has an older ts than what was moved before',
    edits: [
      {
        file: 'src/store/read-pending.ts',
        find: 'sort: { ts: 1, _id: 1 },',
        replace:
          'filter: { ts: { $gt: (store as unknown as { seen?: object }).seen ?? new store.mongo.Timestamp({ t: 0, i: 0 }) } }, sort: { ts: 1, _id: 1 },',
      },
      {
        file: 'src/store/read-pending.ts',
        find: 'return {\n    documents: firstBatch.map((bytes) => decode(store, bytes)),',
        replace:
          "const documents = firstBatch.map((bytes) => decode(store, bytes));\n  Object.assign(store, { seen: documents.at(-1)?.fields['ts'] ?? (store as unknown as { seen?: object }).seen });\n  return {\n    documents,",
      },
    ],
    rounds: ['processes'],
  },
  {
    name: 'put outside the transaction',
    breaks: 'what is put stays when the transaction aborts',
    edits: [
      {
        file: 'src/store/insert-pending.ts',
        find: 'const options = session === null ?',
        replace: 'const options = session !== undefined ?',
      },
    ],
    rounds: ['processes'],
  },
  {
    name: 'base read at local',
    breaks: 'the sequencer builds on entries that can roll back',
    edits: [
      {
        file: 'src/store/read-end-of-log.ts',
        find: 'readConcern: majority,',
        replace: "readConcern: { level: 'local' },",
      },
    ],
    tests: ['test/integration/sequencer/commands.test.ts', 'test/integration/faults/three-nodes.test.ts'],
  },
  {
    name: 'no contiguity check',
    breaks: 'a reader goes on over a gap that was overwritten',
    edits: [
      {
        file: 'src/tail/check-page.ts',
        find: "if (entry._id !== (previous?._id ?? position) + 1) return 'lost';",
        replace: '',
      },
    ],
    rounds: ['tiny log'],
    tests: ['test/integration/reader/position-lost.test.ts'],
  },
  {
    name: 'no floor',
    breaks: 'the log overwrites what a registered consumer has not passed',
    edits: [
      {
        file: 'src/sequencer/room.ts',
        find: 'bytes: Math.max(0, Number(base.bytes - floor.bytes)),\n    messages: Math.max(0, base.position - floor.position),',
        replace: 'bytes: 0 * Number(base.bytes - floor.bytes),\n    messages: 0,',
      },
    ],
    rounds: ['tiny log'],
  },
  {
    name: 'unconditional checkpoint',
    breaks: 'an owner that lost its lease still writes the checkpoint',
    edits: [
      {
        file: 'src/store/consumer-checkpoint.ts',
        find: '      _id: consumerCheckpoint(consumer),\n      epoch,\n',
        replace: '      _id: consumerCheckpoint(consumer),\n',
      },
    ],
    rounds: ['processes', 'between commands'],
    tests: ['test/integration/consumer/lost-lease.test.ts', 'test/integration/consumer/pause-rewind-remove.test.ts'],
  },
  {
    name: 'park without fence',
    breaks: 'an owner that lost its lease still sets messages aside',
    edits: [
      {
        file: 'src/store/commit-progress.ts',
        find: 'if (!(await writeCheckpoint(store, fence, progress, session))) throw lost;\n    };\n    await inTransaction',
        replace: 'await writeCheckpoint(store, fence, progress, session);\n    };\n    await inTransaction',
      },
    ],
    rounds: ['between commands', 'processes'],
    tests: ['test/integration/consumer/fence.test.ts'],
  },
  {
    name: 'takeover without its epoch',
    breaks: 'the owner before can still write after a takeover',
    edits: [
      {
        file: 'src/store/consumer-checkpoint.ts',
        find: '{ $set: { epoch: fence.epoch, write: 0 }, $inc: { fence: 1 as never } },',
        replace: '{ $set: { write: 0 }, $inc: { fence: 1 as never } },',
      },
    ],
    rounds: ['processes'],
    tests: ['test/integration/consumer/lost-lease.test.ts'],
  },
  {
    name: 'checkpoint before handling',
    breaks: 'the checkpoint passes messages that are still being handled',
    edits: [
      {
        file: 'src/consumer/reach.ts',
        find: "if (state !== 'done' && state !== 'passing') break;",
        replace: "if (state === 'waiting') break;",
      },
    ],
    rounds: ['processes', 'between commands'],
  },
  {
    name: 'no order in a key',
    breaks: 'messages of a key are handled side by side',
    edits: [
      {
        file: 'src/consumer/task.ts',
        find: "return task('log', entry, order === 'strict' ? strictLane : entry.key, 1, size);",
        replace: "return task('log', entry, order === 'strict' ? strictLane : undefined, 1, size);",
      },
    ],
    rounds: ['processes'],
  },
  {
    name: 'checkpoint apart from the handler',
    breaks: 'what a transactional handler writes and its checkpoint do not commit together',
    edits: [
      {
        file: 'src/store/commit-progress.ts',
        find: 'if (!(await writeCheckpoint(store, fence, progress, session))) throw lost;\n    }, transactionOptions',
        replace: 'if (!(await writeCheckpoint(store, fence, progress))) throw lost;\n    }, transactionOptions',
      },
    ],
    rounds: ['between commands', 'commands'],
    tests: ['test/integration/consumer/transactional.test.ts'],
  },
  {
    name: 'handled above the checkpoint forgotten',
    breaks: 'a peaceful hand-over repeats messages',
    edits: [
      {
        file: 'src/consumer/checkpoint-writer.ts',
        find: 'last || this.options.transactional ? this.reach.handledAbove() : []',
        replace: '[]',
      },
    ],
    rounds: ['processes'],
    tests: ['test/integration/consumer/reviewed.test.ts'],
  },
  {
    name: 'no window',
    breaks: 'more messages than batchSize come again after a crash',
    edits: [
      {
        file: 'src/consumer/dispatcher.ts',
        find: 'if (task.begun || writer.exposed < setup.options.batchSize) return false;',
        replace: 'if (task.begun || setup.options.batchSize > 0) return false;',
      },
      {
        file: 'src/consumer/dispatcher.ts',
        find: "if (task.source === 'log' && task.position > writer.stored.begun) return undefined;",
        replace: '',
      },
    ],
    tests: ['test/integration/consumer/window.test.ts'],
  },
  {
    name: 'no window for failures',
    breaks: 'more failures than batchSize are run again after a crash',
    edits: [
      {
        file: 'src/consumer/dispatcher.ts',
        find: 'if (task.begun || writer.exposed < setup.options.batchSize) return false;',
        replace: 'if (task.begun || setup.options.batchSize > 0) return false;',
      },
    ],
    tests: ['test/integration/consumer/window.test.ts'],
  },
  {
    name: 'a reader woken too early waits',
    breaks: 'a message waits for the next append, for ever where nothing follows',
    edits: [
      {
        file: 'src/tail/log-reader.ts',
        find: 'looksInVain = this.watch.isBeyond(this.#position) ? looksInVain + 1 : 0;',
        replace: 'looksInVain = 0;',
      },
    ],
    tests: ['test/integration/faults/three-nodes.test.ts'],
  },
  {
    name: 'no outage',
    breaks: 'a destination that is down turns messages into failures',
    edits: [
      {
        file: 'src/consumer/outage.ts',
        find: 'return this.#down === undefined ? this.#goDown(now, items) : { convicted: [], givenBack: [...items] };',
        replace:
          "return now < 0 ? this.#goDown(now, items) : { convicted: items.map((item) => ({ item, error: new Error('down') })), givenBack: [] };",
      },
    ],
    rounds: ['destination'],
    tests: ['test/integration/consumer/outage.test.ts'],
  },
  {
    name: 'a position is taken for the one before',
    breaks: 'a reader that resumes from a position skips a message',
    edits: [
      {
        file: 'src/store/read-log-page.ts',
        find: 'filter: { _id: { $gt: position } },',
        replace: 'filter: { _id: { $gt: position + 1 } },',
      },
    ],
    rounds: ['processes'],
  },
  {
    name: 'late writes count',
    breaks: 'a write that an owner gave up on brings back what was handled by then',
    edits: [{ file: 'src/store/consumer-checkpoint.ts', find: '      write: { $lt: write },\n', replace: '' }],
    tests: ['test/integration/consumer/fence.test.ts'],
  },
  {
    name: 'stray appends trusted',
    breaks: 'a message that only a stray entry holds is taken out of pending',
    edits: [
      {
        file: 'src/sequencer/log-mover.ts',
        find: 'if (!(await isStillInLog(this.store, session, last))) return false;',
        replace: '',
      },
    ],
    tests: ['test/integration/sequencer/stray-append.test.ts'],
  },
  {
    name: 'published without a confirm',
    breaks: 'a message counts as published that RabbitMQ had not confirmed when the connection broke',
    edits: [
      {
        file: 'src/publishers/rabbitmq/amqp-verdict.ts',
        find: 'return new Unavailable(`RabbitMQ has not confirmed: ${closed.text}`, options);',
        replace: 'return undefined;',
      },
    ],
    rounds: ['rabbitmq'],
  },
  {
    name: 'a key twice in a wave',
    breaks: 'a message of a key is sent while the one before it is not acknowledged yet',
    edits: [
      {
        file: 'src/publishers/publish-in-waves.ts',
        find: 'if (wave.length < most && !(key !== undefined && keys.has(key))) wave.push(each);',
        replace: 'if (wave.length < most) wave.push(each);',
      },
    ],
    tests: ['test/unit/publishers/publish-in-waves.test.ts'],
  },
  {
    name: 'kafkajs is believed',
    breaks: 'a message counts as published that kafkajs never sent to the new leader of its partition',
    edits: [
      {
        file: 'src/publishers/kafka/kafkajs-send.ts',
        find: 'if (missing.size === 0) return;',
        replace: 'return;',
      },
    ],
    tests: ['test/unit/publishers/kafka/kafkajs-send.test.ts'],
  },
  {
    name: 'a relay waits for each checkpoint',
    breaks: 'nothing is published while a checkpoint is stored',
    edits: [
      {
        file: 'src/consumer/publish-runner.ts',
        find: 'return batchSize > largestWhole ? Math.ceil(batchSize / 2) : batchSize;',
        replace: 'return batchSize;',
      },
    ],
    tests: ['test/integration/consumer/window.test.ts'],
  },
];

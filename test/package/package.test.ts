import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startReplicaSet, type ReplicaSet } from '../../dev/replica-set.js';
import { createProject, ensureBuilt, root, type Project } from '../support/built-package.js';

let project: Project;
let set: ReplicaSet;
beforeAll(async () => {
  await ensureBuilt();
  [project, set] = await Promise.all([createProject(), startReplicaSet({ log: () => undefined })]);
});
afterAll(async () => {
  await Promise.all([project?.[Symbol.asyncDispose](), set?.stop()]);
});

/** The names that a declaration file exports. */
async function declaredIn(file: string): Promise<string[]> {
  const text = await readFile(join(root, 'dist', file), 'utf8');
  const names = [...text.matchAll(/^export \{([^}]*)\};?$/gm)].flatMap(([, list = '']) => list.split(','));
  return names.map((name) => name.trim().replace(/^type /, '')).sort();
}

describe('what is published', () => {
  const values = ['Inbox', 'OutboxError', 'PermanentError', 'RetryAfter', 'ServiceOutbox', 'Unavailable'];
  const types = [
    'AnySchemas',
    'Consumer',
    'ConsumerInfo',
    'ConsumerOptions',
    'Cursor',
    'DataSchema',
    'Delivered',
    'DrainOptions',
    'DrainReport',
    'ErrorInfo',
    'Failure',
    'FailureFilter',
    'Handler',
    'HandlerContext',
    'HandlerMap',
    'InboxOptions',
    'LogEntry',
    'MessageOf',
    'MessageSchemas',
    'Of',
    'OutboxErrorCode',
    'OutboxEvents',
    'OutboxListener',
    'OutboxMessage',
    'OutboxStatus',
    'PublishContext',
    'PublishResult',
    'Publisher',
    'Put',
    'RelayOptions',
    'RetryOptions',
    'SchemaInstance',
    'ServiceOutboxOptions',
    'TailOptions',
    'TransactionalContext',
    'TransactionalHandler',
    'TransactionalHandlerMap',
  ];

  it('exports these values, as ESM and as CommonJS', async () => {
    const esm = (await import(join(root, 'dist/index.js'))) as object;
    const cjs = createRequire(import.meta.url)(join(root, 'dist/index.cjs')) as object;
    expect(Object.keys(esm).sort()).toEqual(values);
    expect(Object.keys(cjs).sort()).toEqual(values);
  });

  it('declares these values and types, for ESM and for CommonJS', async () => {
    expect(await declaredIn('index.d.ts')).toEqual([...values, ...types].sort());
    expect(await declaredIn('index.d.cts')).toEqual([...values, ...types].sort());
  });

  it('is these files, and no others', () => {
    const built = ['index.cjs', 'index.cjs.map', 'index.d.cts', 'index.d.ts', 'index.js', 'index.js.map'];
    expect([...project.packed].sort()).toEqual(
      [...built.map((file) => `dist/${file}`), 'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'].sort(),
    );
  });

  it('holds no copy of mongoose, of its driver or of @most', async () => {
    const imports = /^import [^;]*from ["']([^"']+)["']|\brequire\(["']([^"']+)["']\)/gm;
    for (const file of ['index.js', 'index.cjs']) {
      const text = await readFile(join(root, 'dist', file), 'utf8');
      const names = [...text.matchAll(imports)].map(([, esm, cjs]) => (esm ?? cjs ?? '').replace('node:', ''));
      expect([...new Set(names)].sort(), file).toEqual(['@most/scheduler', 'crypto', 'mongoose', 'os']);
    }
  });
});

/** Puts an order in a transaction, and prints what the log delivers. */
const example = `
  const { ServiceOutbox, OutboxError } = library;
  await mongoose.connect(process.env.URI, { dbName: process.env.DATABASE });
  const outbox = new ServiceOutbox('OrderServiceOutbox', {
    order_created: { data: { ordernr: { type: Number, required: true } } },
  });
  await outbox.init();
  const Order = mongoose.model('Order', new mongoose.Schema({ ordernr: Number }));
  await Order.createCollection();
  await mongoose.connection.transaction(async (session) => {
    await Order.create([{ ordernr: 1 }], { session });
    await outbox.put({ type: 'order_created', data: { ordernr: 1 } }, session);
  });
  const refused = await outbox.put({ type: 'order_lost', data: {} }, null).catch((error) => error);
  for await (const { type, data, position } of outbox.messages()) {
    console.log(JSON.stringify({ type, data, position, refused: refused instanceof OutboxError && refused.code }));
    break;
  }
  await outbox.close();
  await mongoose.disconnect();
`;
const delivered = { type: 'order_created', data: { ordernr: 1 }, position: 1, refused: 'UNKNOWN_TYPE' };

describe('installed in a project', () => {
  it('works when it is imported', async () => {
    await project.write({
      'example.mjs': `import mongoose from 'mongoose';\nimport * as library from 'service-outbox';\n${example}`,
    });
    const output = await project.node('example.mjs', { URI: set.uri, DATABASE: 'imported' });
    expect(JSON.parse(output)).toEqual(delivered);
  });

  it('works when it is required', async () => {
    await project.write({
      'example.cjs': `const mongoose = require('mongoose');\nconst library = require('service-outbox');\n(async () => {${example}})();`,
    });
    const output = await project.node('example.cjs', { URI: set.uri, DATABASE: 'required' });
    expect(JSON.parse(output)).toEqual(delivered);
  });

  it('is one library where it is both: errors are recognised, and a name is taken once', async () => {
    await project.write({
      'both.mjs': `
        import mongoose from 'mongoose';
        import { createRequire } from 'node:module';
        import * as esm from 'service-outbox';
        const cjs = createRequire(import.meta.url)('service-outbox');
        const connection = mongoose.createConnection();
        const schemas = { ping: { data: {} } };
        new esm.ServiceOutbox('X', schemas, { connection });
        let error;
        try { new cjs.ServiceOutbox('X', schemas, { connection }); } catch (thrown) { error = thrown; }
        console.log(JSON.stringify([esm.OutboxError === cjs.OutboxError, error.code, error instanceof esm.OutboxError]));
      `,
    });
    expect(JSON.parse(await project.node('both.mjs'))).toEqual([false, 'NAME_IN_USE', true]);
  });

  it('runs the example of the README, its placeholder filled in', async () => {
    const code = await readmeExample();
    const filledIn = code
      .replace(/mongodb:\/\/[^']*/, set.uri.replace('/?', '/readme?'))
      .concat('\nfunction send([{ type, data, position }]) {')
      .concat('\n  console.log(JSON.stringify({ type, data, position }));\n  process.exit();\n}');
    const { outputText } = ts.transpileModule(filledIn, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 },
    });
    await project.write({ 'readme.mjs': outputText });
    const { refused: _refused, ...first } = delivered;
    expect(JSON.parse(await project.node('readme.mjs'))).toEqual(first);
  });
});

async function readmeExample(): Promise<string> {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  return /## Example\s+```ts\n(.*?)```/s.exec(readme)?.[1] ?? '';
}

describe('its types', () => {
  const typed = `
    import mongoose, { type ClientSession } from 'mongoose';
    import { OutboxError, ServiceOutbox, type Delivered, type ServiceOutboxOptions } from 'service-outbox';
    type Message = { type: 'order_created'; data: { ordernr: number } } | { type: 'order_paid'; data: { amount: number } };
    const options: ServiceOutboxOptions = { connection: mongoose.connection };
    export const outbox = new ServiceOutbox<Message>('X', {
      order_created: { data: { ordernr: { type: Number, required: true } } },
      order_paid: { data: { amount: { type: Number, required: true } } },
    }, options);
    export async function put(session: ClientSession): Promise<string> {
      return outbox.put({ type: 'order_created', data: { ordernr: 1 } }, session);
    }
    // @ts-expect-error a field of another type: the types are there, and not any
    export const wrong = () => outbox.put({ type: 'order_created', data: { ordernr: 'x' } });
    export async function read(): Promise<Delivered<Message> | undefined> {
      for await (const message of outbox.messages('beginning', { types: ['order_paid'] })) {
        const amount: number = message.data.amount;
        if (amount > 0) return message;
      }
      return undefined;
    }
    export const isClosed = (error: unknown): boolean => error instanceof OutboxError && error.code === 'CLOSED';
    export const [stream$, scheduler, close] = outbox.tail(new Date());
  `;

  it.each<[string, object, readonly string[]]>([
    [
      'node16, as ESM and as CommonJS',
      { module: 'node16', moduleResolution: 'node16', target: 'es2022' },
      ['typed.mts', 'typed.cts'],
    ],
    ['nodenext, as ESM and as CommonJS', { module: 'nodenext', target: 'es2022' }, ['typed.mts', 'typed.cts']],
    ['bundler', { module: 'esnext', moduleResolution: 'bundler', target: 'es2022' }, ['typed.ts']],
  ])('resolve under moduleResolution %s', async (_how, options, files) => {
    await project.write(Object.fromEntries(files.map((file) => [file, typed])));
    expect(await project.compile({ lib: ['es2022', 'esnext.disposable'], skipLibCheck: true, ...options }, files)).toBe(
      '',
    );
  });

  it('compile without skipLibCheck, and with all the strictness there is', async () => {
    await project.write({ 'typed.mts': typed, 'typed.cts': typed });
    const strict = { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: false };
    const options = {
      module: 'node16',
      moduleResolution: 'node16',
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable'],
    };
    expect(await project.compile({ ...options, ...strict, skipLibCheck: false }, ['typed.mts', 'typed.cts'])).toBe('');
  });

  it('let the example of the README compile as it stands', async () => {
    const placeholders = '\ndeclare function send(messages: readonly unknown[]): Promise<void>;\n';
    await project.write({ 'readme.mts': `${await readmeExample()}${placeholders}` });
    const options = { module: 'node16', moduleResolution: 'node16', target: 'es2022', skipLibCheck: true };
    expect(await project.compile({ ...options, lib: ['es2022', 'esnext.disposable'] }, ['readme.mts'])).toBe('');
  });
});

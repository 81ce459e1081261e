import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import { join } from 'node:path';

import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startReplicaSet, type ReplicaSet } from '../../dev/replica-set.js';
import { createProject, ensureBuilt, root, type Project } from '../support/built-package.js';

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: object };
/** "kafka", "rabbitmq" … */
const subpaths = Object.keys(exports)
  .filter((path) => path !== '.' && path !== './package.json')
  .map((path) => path.slice(2));

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
function declaredIn(file: string): string[] {
  const path = join(root, 'dist', file);
  const program = ts.createProgram([path], {
    moduleResolution: ts.ModuleResolutionKind.Node16,
    module: ts.ModuleKind.Node16,
  });
  const source = program.getSourceFile(path);
  const module = source && program.getTypeChecker().getSymbolAtLocation(source);
  return (module ? program.getTypeChecker().getExportsOfModule(module) : []).map(({ name }) => name).sort();
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

  it('declares these values and types, for ESM and for CommonJS', () => {
    expect(declaredIn('index.d.ts')).toEqual([...values, ...types].sort());
    expect(declaredIn('index.d.cts')).toEqual([...values, ...types].sort());
  });

  it('is what was built and these files, and no others', async () => {
    const built = await readdir(join(root, 'dist'));
    for (const name of ['index', ...subpaths])
      for (const file of outputsOf(name)) expect(built, `the output ${file}`).toContain(file);
    // Parts that several of them share; tsup names them by their content.
    const shared = /^[\w-]+-[\w-]{8}[.](js|js[.]map|d[.]ts|d[.]cts)$/;
    const all = ['index', ...subpaths].flatMap(outputsOf);
    expect(built.filter((file) => !all.includes(file) && !shared.test(file))).toEqual([]);
    expect([...project.packed].sort()).toEqual(
      [...built.map((file) => `dist/${file}`), 'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'].sort(),
    );
  });

  it('holds no copy of mongoose, of its driver or of @most', async () => {
    for (const file of ['index.js', 'index.cjs'])
      expect(await importsOf(file), file).toEqual(['@most/scheduler', 'crypto', 'mongoose', 'os']);
  });

  it.each(subpaths)('%s needs nothing but Node: neither mongoose nor the client of a broker', async (name) => {
    for (const file of [`${name}.js`, `${name}.cjs`])
      expect(
        (await importsOf(file)).filter((imported) => !isBuiltin(imported)),
        file,
      ).toEqual([]);
  });
});

/** What is built of a subpath. */
function outputsOf(name: string): string[] {
  return ['cjs', 'cjs.map', 'd.cts', 'd.ts', 'js', 'js.map'].map((ending) => `${name}.${ending}`);
}

/** What a built file loads when it is loaded, by way of the parts that it shares with others too. */
async function importsOf(file: string): Promise<string[]> {
  const imports =
    /^(?:import|export) [^;]*?from ["']([^"']+)["']|^import ["']([^"']+)["']|\brequire\(["']([^"']+)["']\)/gm;
  const found = new Set<string>();
  const files = [file];
  for (let next = files.pop(); next !== undefined; next = files.pop()) {
    const text = await readFile(join(root, 'dist', next), 'utf8');
    for (const [, from, bare, required] of text.matchAll(imports)) {
      const name = from ?? bare ?? required ?? '';
      if (name.startsWith('./')) files.push(name);
      else found.add(name.replace('node:', ''));
    }
  }
  return [...found].sort();
}

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

  it.each(subpaths)('has %s, imported and required, with no client of a broker installed', async (name) => {
    const print = 'console.log(Object.keys(library).sort().join())';
    await project.write({
      'subpath.mjs': `import * as library from 'service-outbox/${name}';\n${print}`,
      'subpath.cjs': `const library = require('service-outbox/${name}');\n${print}`,
    });
    const [imported, required] = [await project.node('subpath.mjs'), await project.node('subpath.cjs')];
    expect(imported.trim()).not.toBe('');
    expect(required).toBe(imported);
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
    import { OutboxError, ServiceOutbox, type Consumer, type Delivered, type ServiceOutboxOptions } from 'service-outbox';
    import { webhookPublisher } from 'service-outbox/webhook';
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
    export const relay = (): Consumer =>
      outbox.relay('hook', webhookPublisher('https://example.com', { source: '/orders' }));
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

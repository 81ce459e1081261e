import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';

import { root } from '../support/built-package.js';

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];

/** A piece of TypeScript in a page. */
interface Block {
  /** "docs/brokers/kafka.md, line 7" */
  readonly where: string;
  readonly code: string;
}

const blocks = pages.flatMap(blocksOf);

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(({ index, 1: code }) => ({
    where: `${page}, line ${text.slice(0, index).split('\n').length}`,
    code: code as string,
  }));
}

/** What the pages take as given: the service's own things, and what an earlier piece of the page has made. */
const given = `
import type { Scheduler, Stream } from '@most/types';
import type { EventBridgeClient as EventBridge } from '@aws-sdk/client-eventbridge';
import type { SNSClient as SNS } from '@aws-sdk/client-sns';
import type { ClientSession, Model } from 'mongoose';
import type * as toKafka from 'service-outbox/kafka';
import type * as toRabbitmq from 'service-outbox/rabbitmq';
import type * as aws from 'service-outbox/aws';
import type * as cloudEvents from 'service-outbox/cloudevents';
import type * as library from 'service-outbox';

declare global {
  type Message =
    | { type: 'order_created'; data: { ordernr: number; customer: string; amount: number } }
    | { type: 'order_paid'; data: { customer: string; amount: number } };
  type Sent = library.Delivered<Message>;
  const outbox: library.ServiceOutbox<Message>;
  const outbox$: Stream<Sent>;
  const scheduler: Scheduler;
  const session: ClientSession;
  const message: Sent;
  const data: { customer: string; amount: number };
  const order: { id: string };
  const error: unknown;
  const url: string, region: string, secret: string, rawBody: string;
  const servers: string[];
  const request: { headers: Record<string, string>; body: string };
  const record: Parameters<typeof cloudEvents.fromKafka>[0];
  const MessageAttributes: Record<string, { StringValue?: string }> | undefined;
  const singleAttributes: Record<string, string>;
  const Total: Model<{ _id: string; amount: number }>, Account: Model<{ _id: string; balance: number }>, Sales: Model<object>;

  function send(message: unknown, options?: { signal: AbortSignal }): Promise<{ refused: boolean; reason: string }>;
  function reserve(data: unknown, options: { signal: AbortSignal }): Promise<void>;
  function addUp(message: Sent, context: library.TransactionalContext): Promise<void>;
  function sendMail(message: Sent): Promise<void>;
  function handle(message: Sent): Promise<void>;
  function handleMessage(message: Sent): Promise<void>;
  function handleError(error: unknown): void;
  function print(message: Sent): Promise<void>;
  function publish(message: Sent): Promise<void>;
  function publishAndStore(message: Sent): Promise<void>;
  function storeCursor(cursor: Date): Promise<void>;
  function loadCursor(): Promise<Date>;
  function alert(text: string): void;
  function it(name: string, run: () => Promise<void>): void;
  function emptyDestination(): Promise<{
    read(): Promise<{ id: string; data: unknown }[]>;
    stop(): Promise<void>;
    start(): Promise<void>;
    remove(): Promise<void>;
  }>;
  function myPublisher(destination: unknown): library.Publisher<library.OutboxMessage>;
  function currentChannel(): Promise<import('amqplib').ConfirmChannel>;

  const producer: import('kafkajs').Producer;
  const kafka: import('kafkajs').Kafka;
  const SNSClient: typeof SNS, EventBridgeClient: typeof EventBridge;
  const { snsPublisher, eventBridgePublisher }: typeof aws;
  const { toCloudEvent }: typeof cloudEvents;
  const { kafkaPublisher }: typeof toKafka;
  const { rabbitmqPublisher }: typeof toRabbitmq;
  const { runEffects, tap, concatMap, fromPromise }: typeof import('@most/core');
  const mongoose: typeof import('mongoose').default;
}
`;

describe('the code of the documentation', () => {
  let problems: ReadonlyMap<string, string[]>;
  beforeAll(() => {
    problems = compile(blocks);
  });

  it.each(blocks.map(({ where }) => where))('%s compiles', (where) => {
    expect(problems.get(where)).toEqual([]);
  });

  it('finds what does not', () => {
    const where = 'a piece that is wrong';
    expect(compile([{ where, code: 'await outbox.put({ type: "order_paid", data: {} });' }]).get(where)).toHaveLength(
      1,
    );
  });
});

/** What the compiler says of each of them, by where it is. */
function compile(all: readonly Block[]): Map<string, string[]> {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, root);
  const files = new Map([[join(root, 'docs-given.mts'), given]]);
  const fileOf = (index: number): string => join(root, `docs-${index}.mts`);
  all.forEach(({ code }, index) => {
    // What is only returned stands in a function, in the page as here.
    const body = code.startsWith('return ') ? `export function f() {\n${code}}` : code;
    files.set(fileOf(index), `${body}\nexport {};\n`);
  });
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => files.get(path) ?? readFile(path);
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.getSourceFile = (path, how, ...more) => {
    const text = files.get(path);
    return text === undefined ? getSourceFile(path, how, ...more) : ts.createSourceFile(path, text, how);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return new Map(
    all.map(({ where }, index) => {
      const source = program.getSourceFile(fileOf(index));
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [where, found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))];
    }),
  );
}

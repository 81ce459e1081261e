import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';

import { freePorts } from '../../../dev/free-ports.js';
import type { ReceivedMessage } from '../../../src/testing.js';

/** An entry of PutEvents as it travels. */
export interface PutEntry {
  readonly Source: string;
  readonly DetailType: string;
  readonly Detail: string;
  readonly EventBusName?: string;
  readonly Time?: number;
}

/** Answers PutEvents as its reference says: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html */
export class EventBridgeStub {
  readonly requests: PutEntry[][] = [];
  readonly taken: PutEntry[] = [];
  /** The error code of an entry that is not taken. */
  refuse: (entry: PutEntry) => string | undefined = () => undefined;
  /** An error of the whole request: its status and type. */
  fail: () => readonly [status: number, type: string] | undefined = () => undefined;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  private constructor(readonly port: number) {}

  static async start(): Promise<EventBridgeStub> {
    const stub = new EventBridgeStub((await freePorts(1))[0]!);
    await stub.up();
    return stub;
  }

  get received(): ReceivedMessage[] {
    return this.taken.map(({ Detail }) => JSON.parse(Detail) as ReceivedMessage);
  }

  async up(): Promise<void> {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { status, body } = this.#answer(
          request.headers['x-amz-target'],
          JSON.parse(Buffer.concat(chunks).toString()) as { Entries: PutEntry[] },
        );
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
      });
    });
    this.#server.on('connection', (socket) => this.#sockets.add(socket));
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    server.close();
    await once(server, 'close');
  }

  #answer(target: unknown, { Entries }: { Entries: PutEntry[] }): { status: number; body: object } {
    if (target !== 'AWSEvents.PutEvents') return { status: 404, body: { __type: 'UnknownOperationException' } };
    this.requests.push(Entries);
    const failure = this.fail();
    if (failure !== undefined) return { status: failure[0], body: { __type: failure[1], message: 'it failed' } };
    if (Entries.length > 10 || Entries.reduce((sum, entry) => sum + sizeOf(entry), 0) > 262_144)
      return { status: 400, body: { __type: 'ValidationException', message: 'over the limit' } };
    const answers = Entries.map((entry, index) => {
      const ErrorCode = this.refuse(entry);
      if (ErrorCode !== undefined) return { ErrorCode, ErrorMessage: 'refused' };
      this.taken.push(entry);
      return { EventId: `event-${index}` };
    });
    const FailedEntryCount = answers.filter((answer) => 'ErrorCode' in answer).length;
    return { status: 200, body: { FailedEntryCount, Entries: answers } };
  }
}

function sizeOf({ Source, DetailType, Detail, Time }: PutEntry): number {
  const texts = [Source, DetailType, Detail].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return texts + (Time === undefined ? 0 : 14);
}

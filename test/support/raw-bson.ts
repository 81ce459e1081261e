import { once } from 'node:events';
import { connect } from 'node:net';

import { BSON } from 'mongodb';

const headerBytes = 16;
const opMsg = 2013;

/**
 * Inserts documents byte by byte as they are given, as a program with another driver may: the driver of this process
 * writes no BSON that it would not read. One command over a connection of its own, to a server without access control.
 */
export async function insertBytes(
  uri: string,
  database: string,
  collection: string,
  documents: readonly Uint8Array[],
): Promise<void> {
  const { hostname: host, port } = new URL(uri);
  const body = BSON.serialize({ insert: collection, $db: database, writeConcern: { w: 'majority' } });
  const sequence = Buffer.concat([Buffer.from('documents\0'), ...documents]);
  const size = Buffer.alloc(4);
  size.writeInt32LE(4 + sequence.length);
  const sections = Buffer.concat([Buffer.alloc(4), Buffer.from([0]), body, Buffer.from([1]), size, sequence]);
  const header = Buffer.alloc(headerBytes);
  [headerBytes + sections.length, 1, 0, opMsg].forEach((field, index) => header.writeInt32LE(field, 4 * index));

  const socket = connect({ host, port: Number(port) });
  try {
    socket.write(Buffer.concat([header, sections]));
    let answer = Buffer.alloc(0);
    while (answer.length < 4 || answer.length < answer.readInt32LE(0)) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      answer = Buffer.concat([answer, chunk]);
    }
    const reply = BSON.deserialize(answer.subarray(headerBytes + 5));
    if (reply['ok'] !== 1 || reply['n'] !== documents.length) throw new Error(`not inserted: ${JSON.stringify(reply)}`);
  } finally {
    socket.destroy();
  }
}

/** The fields of an encoded document, each as its BSON type and bytes, in hexadecimal; names in their order. */
export function fieldBytes(document: Uint8Array): Map<string, string> {
  const bytes = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
  const fields = new Map<string, string>();
  for (const [type, nameAt, nameLength, at, length] of BSON.onDemand.parseToElements(bytes)) {
    const name = bytes.toString('utf8', nameAt, nameAt + nameLength);
    fields.set(name, `${type}:${bytes.toString('hex', at, at + length)}`);
  }
  return fields;
}

/** `text` in an encoded document, overwritten by bytes of the same length. */
export function overwrite(document: Uint8Array, text: string, bytes: readonly number[]): Buffer {
  const changed = Buffer.from(document);
  const at = changed.indexOf(text);
  if (at < 0 || text.length !== bytes.length) throw new Error(`cannot overwrite ${text}`);
  Buffer.from(bytes).copy(changed, at);
  return changed;
}

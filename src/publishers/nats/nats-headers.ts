import { PermanentError } from '../../verdict.js';

/**
 * Headers as NATS sends them. The clients' own class comes from the packages @nats-io/nats-core or nats, and all that they
 * ask of it is this: https://docs.nats.io/reference/reference-protocols/nats-protocol#hpub
 */
export class NatsHeaders {
  readonly #values = new Map<string, string>();

  /** @throws PermanentError for what would end the header, or be another one */
  constructor(headers: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(headers)) this.set(name, value);
  }

  set(name: string, value: string): void {
    if (!/^[!-9;-~]+$/.test(name))
      throw new PermanentError(`NATS can not carry a header of the name ${JSON.stringify(name)}`);
    if (/[\r\n]/.test(value)) throw new PermanentError(`NATS can not carry a line break in a header: ${name}`);
    this.#values.set(name, value);
  }

  get(name: string): string {
    return this.#values.get(name) ?? '';
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  encode(): Uint8Array {
    const lines = [...this.#values].map(([name, value]) => `${name}: ${value}\r\n`);
    return Buffer.from(`NATS/1.0\r\n${lines.join('')}\r\n`);
  }
}

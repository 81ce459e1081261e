import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * What a connection meets: it passes; it is cut and refused; it stands still, and what is under way arrives later; it
 * takes everything and delivers nothing (half-open, both ways or only the replies).
 */
export type Weather = 'clear' | 'cut' | 'held' | 'half-open' | 'no replies' | 'slow';

const SLOW_MS = 40;

/** Stands between clients and one mongod. */
export class Proxy {
  readonly #server = createServer({ pauseOnConnect: true }, (client) => this.#accept(client));
  readonly #links = new Set<Link>();
  #weather: Weather = 'clear';

  private constructor(private readonly targetPort: number) {}

  static async start(targetPort: number): Promise<Proxy> {
    const proxy = new Proxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  become(weather: Weather): void {
    this.#weather = weather;
    for (const link of [...this.#links]) link.become(weather);
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const link of [...this.#links]) link.end();
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#weather === 'cut') return void client.destroy();
    const link = new Link(client, this.targetPort, () => this.#links.delete(link));
    this.#links.add(link);
    link.become(this.#weather);
  }
}

/** One connection through the proxy. */
class Link {
  readonly #server: Socket;
  #weather: Weather = 'clear';
  /** After bytes were lost the rest makes no sense any more. */
  #lossy = false;

  constructor(
    private readonly client: Socket,
    port: number,
    private readonly ended: () => void,
  ) {
    this.#server = connect({ port, host: '127.0.0.1' });
    for (const [from, to] of [
      [client, this.#server],
      [this.#server, client],
    ] as const) {
      from.setNoDelay(true);
      from.on('error', () => this.end());
      from.on('close', () => this.end());
      from.on('data', (bytes) => this.#pass(bytes, to));
    }
  }

  become(weather: Weather): void {
    this.#weather = weather;
    if (weather === 'cut' || (this.#lossy && weather !== 'half-open' && weather !== 'no replies')) return this.end();
    for (const socket of [this.client, this.#server])
      if (weather === 'held') socket.pause();
      else socket.resume();
  }

  end(): void {
    this.client.destroy();
    this.#server.destroy();
    this.ended();
  }

  #pass(bytes: Buffer, to: Socket): void {
    if (this.#weather === 'half-open' || (this.#weather === 'no replies' && to === this.client)) {
      this.#lossy = true;
    } else if (this.#weather === 'slow') setTimeout(() => to.writable && to.write(bytes), SLOW_MS);
    else to.write(bytes);
  }
}

import type mongoose from 'mongoose';
import type { Connection } from 'mongoose';
import { OutboxError } from '../errors.js';
import { baseOf } from '../internal/base-of.js';

/** `readyState` of mongoose's connections: https://mongoosejs.com/docs/api/connection.html#Connection.prototype.readyState */
const connectedState = 1 as number;
const connectingState = 2 as number;

/** What mongoose keeps about a connection beside its declared interface. */
type ConnectionInside = Omit<Connection, 'config' | 'readyState'> & {
  readyState: number;
  _closeCalled?: boolean;
  destroyed?: boolean;
  config?: { bufferTimeoutMS?: number };
};

/**
 * Waits until the connection is open, as mongoose's own operations do: at most `bufferTimeoutMS` (10 s by default).
 * @throws `NOT_CONNECTED` when it does not open in time, `CONNECTION_CLOSED` when the service has closed it.
 */
export async function connectedClient(connection: Connection): Promise<mongoose.mongo.MongoClient> {
  const inside = connection as unknown as ConnectionInside;
  if (inside.readyState !== connectedState || connection.db === undefined) {
    // A connection that has been open once is reconnected by the driver itself, which also bounds the wait.
    const opened = connection.db !== undefined && inside._closeCalled !== true;
    if (!opened) await opening(inside);
  }
  return connection.getClient();
}

/** Whether the service has closed the connection. */
export function isClosedByService(connection: Connection): boolean {
  const inside = connection as unknown as ConnectionInside;
  return inside._closeCalled === true || inside.destroyed === true;
}

export function connectionClosed(cause?: unknown): OutboxError {
  return new OutboxError(
    'CONNECTION_CLOSED',
    'the service has closed the mongoose connection: end what uses it first (outbox.close()), or open the connection again',
    { cause },
  );
}

async function opening(connection: ConnectionInside): Promise<void> {
  if (isClosedByService(connection as unknown as Connection) && connection.readyState !== connectingState) {
    throw connectionClosed();
  }
  const base = baseOf(connection as unknown as Connection);
  const timeoutMs = connection.config?.bufferTimeoutMS ?? base.get('bufferTimeoutMS') ?? 10_000;
  let timer: NodeJS.Timeout | undefined;
  let listener: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      listener = resolve;
      connection.once('connected', listener);
      timer = setTimeout(() => {
        reject(
          new OutboxError(
            'NOT_CONNECTED',
            `the mongoose connection did not open within ${timeoutMs} ms (bufferTimeoutMS): call mongoose.connect(…) or pass the right connection, and check that the server is up`,
          ),
        );
      }, timeoutMs);
      // Resolves at once where nobody has called connect yet, so it can't be what is waited for.
      connection.asPromise().then(() => connection.readyState === connectedState && resolve(), reject);
    });
  } catch (error) {
    if (error instanceof OutboxError) throw error;
    throw new OutboxError('NOT_CONNECTED', 'the mongoose connection could not be opened: see the cause', {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    if (listener !== undefined) connection.removeListener('connected', listener);
  }
}

import { Unavailable } from '../../verdict.js';
import { requestWithin } from '../request-within.js';

/** A request, ready to be sent. */
export interface WebhookRequest {
  readonly headers: Headers;
  readonly body: string;
}

/** What is kept of an answer; its body may quote what was sent. */
export interface WebhookAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly date: string | null;
}

/** So much of an answer's body is read so that its connection can be used again; a longer one costs the connection. */
const mostBodyBytes = 65_536;

/**
 * Sends one request and waits for the answer and its body, both within `timeoutMs`. Redirects are not followed.
 * @throws Unavailable when there is no answer; the signal's reason when it aborts
 */
export async function post(
  url: URL,
  { headers, body }: WebhookRequest,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<WebhookAnswer> {
  return requestWithin(timeoutMs, signal, url.origin, async (end) => {
    let answer: Response;
    try {
      answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: end });
    } catch (error) {
      throw new Unavailable(`${url.origin} can not be reached: ${reasonOf(error)}`, { cause: error });
    }
    // The status is the acknowledgement: a body that breaks off or takes too long takes nothing back.
    await drain(answer).catch(() => undefined);
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), date: answer.headers.get('date') };
  });
}

async function drain({ body }: Response): Promise<void> {
  if (body === null) return;
  let read = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    read += chunk.length;
    // Leaving the loop cancels the rest.
    if (read > mostBodyBytes) return;
  }
}

/** fetch says "fetch failed", and its cause why. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: string; message?: string }; message?: string };
  return cause?.code || cause?.message || message || 'no reason given';
}

import type { ErrorInfo } from '../handler.js';

const mostText = 2_000;
const mostCode = 200;
const mostStackLines = 12;
/** User and password of a URI, as drivers and clients put them into their errors. */
const credentials = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/]*@/gi;

/** An error as it is kept and told: short, and without the credentials of a connection string. */
export function toErrorInfo(error: unknown): ErrorInfo {
  try {
    return read(error);
  } catch {
    return { name: 'Error', message: 'something was thrown that can not be read' };
  }
}

function read(error: unknown): ErrorInfo {
  if (typeof error !== 'object' || error === null) {
    return {
      name: 'Error',
      message: text(`${typeof error === 'string' ? error : String(error)} (${typeof error}, not an Error)`),
    };
  }
  const { name, message, code, stack } = error as Partial<Record<'name' | 'message' | 'code' | 'stack', unknown>>;
  return {
    name: typeof name === 'string' && name !== '' ? text(name) : (error.constructor?.name ?? 'Object'),
    message: typeof message === 'string' ? text(message) : 'something without a message was thrown',
    ...(typeof code === 'number' ? { code } : typeof code === 'string' ? { code: text(code, mostCode) } : {}),
    ...(typeof stack === 'string' ? { stack: text(stack.split('\n').slice(0, mostStackLines).join('\n')) } : {}),
  };
}

function text(value: string, most = mostText): string {
  const safe = value.replace(credentials, '$1***@');
  return safe.length > most ? `${safe.slice(0, most)}…` : safe;
}

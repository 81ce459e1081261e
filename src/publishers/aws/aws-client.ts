import { shown } from '../../errors.js';
import { invalidOption } from '../../internal/check-options.js';
import { Unavailable } from '../../verdict.js';

/** A client of the AWS SDK for JavaScript, version 3, as far as publishers use it. */
export interface AwsClient {
  send(command: never, options?: { abortSignal?: AbortSignal }): Promise<unknown>;
}

/** Refuses what is no client of that service. @throws `INVALID_OPTION` */
export function checkClient(client: unknown, service: 'SQS' | 'SNS' | 'EventBridge'): void {
  const found = client as { send?: unknown; config?: { serviceId?: unknown } } | null | undefined;
  const other = found?.config?.serviceId;
  if (typeof found?.send === 'function' && (other === undefined || other === service)) return;
  throw invalidOption(
    'client',
    `must be a client of the AWS SDK, version 3: new ${service}Client({ … }) of @aws-sdk/client-${service.toLowerCase()}`,
    `got ${typeof other === 'string' ? `a client of ${other}` : shown(client)}`,
  );
}

/**
 * A package of the SDK, loaded when it is first needed: whoever uses none of it needs none of it. It is installed where the client
 * comes from.
 */
export async function loaded<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new Unavailable(`the package ${name} can not be loaded: install it beside service-outbox`, { cause: error });
  }
}

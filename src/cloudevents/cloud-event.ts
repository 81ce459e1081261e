/**
 * A CloudEvent 1.0, with the attributes that this library writes or reads; every other name is an extension.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  /** A URI reference: the context in which the event happened. */
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  /** RFC 3339. */
  readonly time?: string;
  readonly datacontenttype?: string;
  readonly dataschema?: string;
  /** What order is kept by: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/partitioning.md */
  readonly partitionkey?: string;
  /**
   * Place in the log, as decimal digits. No Integer, which CloudEvents limits to 32 bits and a log passes: the type of an
   * attribute should not change on the way.
   */
  readonly position?: string;
  /** W3C Trace Context: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md */
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly data?: unknown;
  readonly [extension: string]: unknown;
}

/** Where the attributes travel: beside the data (binary), or in one JSON document with it (structured). */
export type ContentMode = 'binary' | 'structured';

/** Attributes and the data of an event. */
export function partsOf(event: CloudEvent): { attributes: [name: string, value: string][]; data: unknown } {
  const { data, ...attributes } = event;
  return {
    attributes: Object.entries(attributes).flatMap(([name, value]): [string, string][] =>
      value === undefined || value === null ? [] : [[name, textOf(value)]],
    ),
    data,
  };
}

/** The text form of an attribute, the same in every binary mode: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

import type { CloudEvent } from './cloud-event.js';
import { partsOf } from './cloud-event.js';

/** What an event says of the message that it was made of; also of events that another library made. */
export interface MessageOfEvent {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  readonly source: string;
  readonly subject?: string;
  /** The attribute `partitionkey`. */
  readonly key?: string;
  /** The attribute `position`. */
  readonly position?: number;
  /** The attribute `time`. */
  readonly created?: Date;
  /** All other extension attributes, as texts. */
  readonly headers: Readonly<Record<string, string>>;
}

const standing = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'dataschema']);

/** The way back from `toCloudEvent`. What the event does not say, or says in another form (a position that is no whole number), is left out. */
export function fromCloudEvent(event: CloudEvent): MessageOfEvent {
  const { id, type, source, subject, partitionkey, time } = event;
  const position = Number(event.position);
  const created = new Date(time ?? NaN);
  const extensions = partsOf(event).attributes.filter(
    ([name]) => !standing.has(name) && name !== 'partitionkey' && name !== 'position',
  );
  return {
    id,
    type,
    data: event.data,
    source,
    ...(subject === undefined ? {} : { subject }),
    ...(partitionkey === undefined ? {} : { key: partitionkey }),
    ...(event.position !== undefined && Number.isSafeInteger(position) ? { position } : {}),
    ...(Number.isNaN(created.getTime()) ? {} : { created }),
    headers: Object.fromEntries(extensions),
  };
}

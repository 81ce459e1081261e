import { now } from '../history/history-writer.js';
import { hold, type Nemesis } from './field.js';

const kill: Nemesis = async (field) => {
  const { broker } = field.site;
  if (broker === undefined) return undefined;
  const from = now();
  await broker.node.kill9();
  await hold(field);
  await broker.node.restart();
  return { target: broker.place.broker, from, until: now() };
};

/** Connections stay open, and nothing answers. */
const pause: Nemesis = async (field) => {
  const { broker } = field.site;
  if (broker === undefined) return undefined;
  const from = now();
  broker.node.pause();
  try {
    await hold(field);
  } finally {
    broker.node.resume();
  }
  return { target: broker.place.broker, from, until: now() };
};

export const brokerNemeses = { 'kill broker': kill, 'pause broker': pause } satisfies Record<string, Nemesis>;

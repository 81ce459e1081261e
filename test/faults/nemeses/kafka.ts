import { now } from '../history/history-writer.js';
import { hold, type Nemesis } from './field.js';

const kill: Nemesis = async (field) => {
  const { kafka } = field.site;
  if (kafka === undefined) return undefined;
  const from = now();
  await kafka.node.kill9();
  await hold(field);
  await kafka.node.restart();
  return { target: 'kafka', from, until: now() };
};

/** Connections stay open, and nothing answers. */
const pause: Nemesis = async (field) => {
  const { kafka } = field.site;
  if (kafka === undefined) return undefined;
  const from = now();
  kafka.node.pause();
  try {
    await hold(field);
  } finally {
    kafka.node.resume();
  }
  return { target: 'kafka', from, until: now() };
};

export const kafkaNemeses = { 'kill kafka': kill, 'pause kafka': pause } satisfies Record<string, Nemesis>;

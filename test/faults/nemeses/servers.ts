import { now } from '../history/history-writer.js';
import { hold, nodeName, pick, type Nemesis } from './field.js';

/** The new primary takes writes at the end of it. */
const stepDown: Nemesis = async ({ site }) => {
  const old = await site.set.primary();
  const from = now();
  // The primary answers, closes the connection first, or is one no more: all the same.
  await site
    .onPrimary((client) => client.db('admin').command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5 }))
    .catch(() => undefined);
  await site.set.primary();
  return { target: nodeName(old), from, until: now() };
};

const killPrimary: Nemesis = async (field) => {
  const { set } = field.site;
  const node = await set.primary();
  const from = now();
  await node.kill9();
  if (set.nodes.length > 1) {
    await set.primary();
    const until = now();
    await hold(field);
    await node.restart();
    return { target: nodeName(node), from, until };
  }
  await node.restart();
  await set.primary();
  return { target: nodeName(node), from, until: now() };
};

const killSecondary: Nemesis = async (field) => {
  const { set } = field.site;
  const primary = await set.primary();
  const node = pick(
    set.nodes.filter((other) => other !== primary),
    field.random,
  );
  if (node === undefined) return undefined;
  const from = now();
  await node.kill9();
  await hold(field);
  await node.restart();
  return { target: nodeName(node), from, until: from };
};

/** It hangs: connections stay open, and nothing answers. */
const pausePrimary: Nemesis = async (field) => {
  const { set } = field.site;
  const node = await set.primary();
  const from = now();
  node.pause();
  try {
    await hold(field);
  } finally {
    node.resume();
  }
  await set.primary();
  return { target: nodeName(node), from, until: now() };
};

export const serverNemeses = {
  'step down': stepDown,
  'kill mongod': killPrimary,
  'kill secondary': killSecondary,
  'pause mongod': pausePrimary,
} satisfies Record<string, Nemesis>;

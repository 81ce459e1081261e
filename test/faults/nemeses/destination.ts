import { now } from '../history/history-writer.js';
import type { Mood } from '../processes/task.js';
import { hold, type Nemesis } from './field.js';

function mood(mood: Mood): Nemesis {
  return async (field) => {
    const [destination] = field.fleet.byRole('destination');
    if (destination === undefined) return undefined;
    const from = now();
    destination.send({ kind: 'mood', mood });
    await hold(field);
    destination.send({ kind: 'mood', mood: 'up' });
    return { target: destination.process, from, until: now() };
  };
}

const kill: Nemesis = async ({ fleet }) => {
  const [destination] = fleet.byRole('destination');
  if (destination === undefined) return undefined;
  const from = now();
  await fleet.kill(destination);
  return { target: destination.process, from, until: now() };
};

export const destinationNemeses = {
  'destination down': mood('down'),
  'destination slow': mood('slow'),
  'destination refuses batches': mood('refuses batches'),
  'destination refuses messages': mood('refuses messages'),
  'destination answers late': mood('answers late'),
  'kill destination': kill,
} satisfies Record<string, Nemesis>;

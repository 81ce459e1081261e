import { betweenCommandsNemeses } from './between-commands.js';
import { commandNemeses } from './commands.js';
import { connectionNemeses } from './connections.js';
import { destinationNemeses } from './destination.js';
import { brokerNemeses } from './broker.js';
import { processNemeses } from './processes.js';
import { releaseNemeses } from './release.js';
import { serverNemeses } from './servers.js';

/** Everything that can go wrong, by the name that the report uses. */
export const NEMESES = {
  ...processNemeses,
  ...betweenCommandsNemeses,
  ...serverNemeses,
  ...connectionNemeses,
  ...commandNemeses,
  ...destinationNemeses,
  ...brokerNemeses,
  ...releaseNemeses,
};

export type NemesisName = keyof typeof NEMESES;

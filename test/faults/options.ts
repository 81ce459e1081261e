import { randomInt } from 'node:crypto';

import { Command, InvalidArgumentError, Option } from 'commander';

import { MIXED, ROUNDS } from './rounds.js';

export interface FaultOptions {
  readonly seed: number;
  /** Soak: rounds of all faults mixed until the time is over, instead of each round once. */
  readonly minutes?: number;
  /** A single round. */
  readonly only?: string;
  readonly verbose: boolean;
  /** Keep histories and logs also where nothing was violated. */
  readonly keep: boolean;
}

const DEFAULT_SEED = 20_261_125;
const LARGEST_SEED = 2 ** 31;

export function parseOptions(argv: readonly string[]): FaultOptions {
  const command = new Command('npm run test:faults --')
    .description('Runs the library under faults and checks what its processes saw against its guarantees.')
    .option(
      '--seed <number|random>',
      'which faults hit what and when; the timing of processes is not repeated',
      seed,
      DEFAULT_SEED,
    )
    .option('--minutes <number>', 'soak: all faults mixed, on three nodes, for so long', minutes)
    .addOption(new Option('--only <round>', 'this round only').choices([...ROUNDS, MIXED].map(({ name }) => name)))
    .option('--verbose', 'tell each fault', false)
    .option('--keep', 'keep histories and logs of every round', false)
    .allowExcessArguments(false);
  command.parse([...argv], { from: 'user' });
  return command.opts<FaultOptions>();
}

function seed(text: string): number {
  if (text === 'random') return randomInt(LARGEST_SEED);
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || value > LARGEST_SEED)
    throw new InvalidArgumentError(`It must be a whole number from 0 to ${LARGEST_SEED}, or "random".`);
  return value;
}

function minutes(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 10_000)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

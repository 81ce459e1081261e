import fc from 'fast-check';

/**
 * Random input is the same in every run: a change that fails has failed because of itself. `FC_SEED=7 npm run test:unit`
 * looks elsewhere; a property that fails prints the seed and the path to see it fail again.
 */
fc.configureGlobal({ seed: Number(process.env['FC_SEED'] ?? 20_261_125) });

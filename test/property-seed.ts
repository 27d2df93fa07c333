/**
 * The seed of all property tests. `pnpm test` uses the same at each run, so that a change is judged
 * by what it changed; `pnpm fuzz` looks for more with new ones.
 */
import fc from 'fast-check';

const USUAL_SEED = 20_261_127;

fc.configureGlobal({ seed: Number(process.env['GINIT_PROPERTY_SEED'] ?? USUAL_SEED) });

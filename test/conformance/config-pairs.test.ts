/**
 * Random pairs of configs: see config-pairs.ts. A canary (test/sim/pairs-canary) tests the test.
 */
import { test } from 'vitest';
import { checkConfigPairs } from './config-pairs.ts';

test('a config that is applied to another one ends in the state of a fresh start, by the plan', async () => {
  await checkConfigPairs(false);
}, 300_000);

// Soaks the block layer: npm run block-soak [-- --seconds N] [--seed S] [--as-built]. See
// test/stress/soak/run.mjs.
import { parseArgs } from 'node:util';
import { setUp } from './setup.mjs';

const BOUNDS = { seconds: [1, 1_000_000, 600], seed: [0, 2 ** 32 - 1, 1] };
const USAGE_EXIT_CODE = 2;

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, seed: { type: 'string' }, 'as-built': { type: 'boolean' } },
});
const numbers = Object.entries(BOUNDS).map(([name, [least, most, fallback]]) => {
  const number = Number(values[name] ?? fallback);
  if (Number.isInteger(number) && number >= least && number <= most) return [name, number];
  console.error(`block-soak: --${name} ${values[name]}: not a whole number from ${least} to ${most}`);
  process.exit(USAGE_EXIT_CODE);
});
if (!values['as-built']) await setUp();
const { soak } = await import('../test/stress/soak/run.mjs');
const result = await soak(Object.fromEntries(numbers), (text) => console.error(text));
for (const text of result.wrong) console.error(`block-soak: ${text}`);
console.log(JSON.stringify(result));
process.exitCode = result.wrong.length > 0 ? 1 : 0;

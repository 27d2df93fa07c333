// Gives a running system many configs: npm run reconfigurations [-- --times N] [--as-built]. See
// test/stress/reconfigurations.mjs.
import { parseArgs } from 'node:util';
import { setUp } from './setup.mjs';

const TIMES = 10_000;
const TIMES_MAX = 1_000_000;
const USAGE_EXIT_CODE = 2;

const { values } = parseArgs({
  options: { times: { type: 'string' }, 'as-built': { type: 'boolean' } },
});
const times = Number(values.times ?? TIMES);
if (!Number.isInteger(times) || times < 1 || times > TIMES_MAX) {
  console.error(`reconfigurations: --times ${values.times}: not a whole number from 1 to ${TIMES_MAX}`);
  process.exit(USAGE_EXIT_CODE);
}
if (!values['as-built']) await setUp();
const { reconfigureOften } = await import('../test/stress/reconfigurations.mjs');
const result = await reconfigureOften(times, (text) => console.log(text));
for (const text of result.grown) console.error(`reconfigurations: ${text}`);
console.log(JSON.stringify(result));
process.exitCode = result.grown.length > 0 ? 1 : 0;

// Runs a benchmark: pnpm bench NAME [--quick] [--as-built]. Without a name it lists them.
//   --quick     only find out whether it works: one short round, figures worth nothing
//   --as-built  measure what is compiled already, do not set up first
import { parseArgs } from 'node:util';
import { setUp } from './setup.mjs';

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean' }, 'as-built': { type: 'boolean' } },
  allowPositionals: true,
});
if (!values['as-built']) await setUp();
// The benchmarks import packages, which are there only after the setup.
const { BENCHMARKS } = await import('../test/bench/benchmarks.mjs');
const { runBenchmark } = await import('../test/bench/harness/run.mjs');

const [name] = positionals;
const benchmark = BENCHMARKS.find((candidate) => candidate.name === name);
if (benchmark !== undefined) {
  await runBenchmark(benchmark, { quick: values.quick ?? false });
} else {
  for (const { name: known, title } of BENCHMARKS) console.log(`${known.padEnd(8)} ${title}`);
  if (name !== undefined) {
    console.error(`bench: there is no benchmark "${name}"`);
    process.exitCode = 2;
  }
}

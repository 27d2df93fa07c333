// Runs a benchmark: pnpm bench NAME [--quick] [--as-built]. Without a name it lists them.
//   --quick     only find out whether it works: one short round, figures worth nothing
//   --as-built  measure what is compiled already, do not set up first
//   --against COMMIT  build that commit beside this tree and let both take turns: is anything slower than it was?
//       --pairs N     so many turns (9 unless told, 6 at least)
//   --rows A,B  only these rows; ratios to others are left out
//   cache --trace FILE --format arc|list|u32be --sizes A,B,C  hit ratios of every policy on a trace, as JSON
import { parseArgs } from 'node:util';
import { setUp } from './setup.mjs';

function parsed(options) {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    console.error(`bench: ${error.message}`);
    process.exit(2);
  }
}

const { values, positionals } = parsed({
  quick: { type: 'boolean' },
  'as-built': { type: 'boolean' },
  against: { type: 'string' },
  pairs: { type: 'string' },
  rows: { type: 'string' },
  trace: { type: 'string' },
  format: { type: 'string' },
  sizes: { type: 'string' },
});
if (!values['as-built']) await setUp();
// The benchmarks import packages, which are there only after the setup.
const { BENCHMARKS } = await import('../test/bench/benchmarks.mjs');
const { runBenchmark, UnknownRow } = await import('../test/bench/harness/run.mjs');
const { runAgainst } = await import('../test/bench/harness/against.mjs');

const [name] = positionals;
const benchmark = BENCHMARKS.find((candidate) => candidate.name === name);
const quick = values.quick ?? false;
const pairs = values.pairs === undefined ? undefined : Number(values.pairs);
if (pairs !== undefined && !(Number.isSafeInteger(pairs) && pairs > 0 && pairs <= 1000)) {
  console.error(`bench: --pairs takes a whole number from 1 to 1000, not "${values.pairs}"`);
  process.exitCode = 2;
} else if (values.trace === undefined && (values.sizes ?? values.format) !== undefined) {
  console.error('bench: --sizes and --format say something of a trace: --trace FILE');
  process.exitCode = 2;
} else if (values.trace !== undefined && name !== 'cache') {
  console.error('bench: only "cache" takes --trace');
  process.exitCode = 2;
} else if (values.trace !== undefined) {
  const { replayTrace } = await import('../test/bench/cache/show.mjs');
  try {
    replayTrace(values);
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 2;
  }
} else if (benchmark !== undefined && values.against !== undefined) {
  const rows = values.rows?.split(',') ?? [];
  try {
    const kept = await runAgainst(benchmark, { commit: values.against, pairs, rows, quick });
    if (!kept) process.exitCode = 1;
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 2;
  }
} else if (benchmark !== undefined) {
  try {
    await runBenchmark(benchmark, { quick, rows: values.rows?.split(',') ?? [] });
  } catch (error) {
    if (!(error instanceof UnknownRow)) throw error;
    console.error(`bench: ${error.message}`);
    process.exitCode = 2;
  }
} else {
  for (const { name: known, title } of BENCHMARKS) console.log(`${known.padEnd(8)} ${title}`);
  if (name !== undefined) {
    console.error(`bench: there is no benchmark "${name}"`);
    process.exitCode = 2;
  }
}

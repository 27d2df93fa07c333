/**
 * How far `auto` is from the best policy and from LRU on families of traces that are made by a seed:
 *
 *     node test/bench/cache/judge.mjs [tuning | held-out] [SEED]
 */
import { makePolicy, POLICY_NAMES, Shadow } from '@ginit/blockcache/policy';
import { HELD_OUT, TUNING } from './families.mjs';

const SIZES = [250, 1000, 3000, 10_000];
const CHUNK_COUNT = 2 ** 32 - 1;
/** In points: how far `auto` may be below the best policy, and below LRU. */
const BELOW_BEST_MAX = 1;
const BELOW_LRU_MAX = 0.2;

function ratioOf(name, slots, trace) {
  const directory = new Shadow((memory) => makePolicy(name, memory), slots, CHUNK_COUNT);
  let hits = 0;
  for (let at = 0; at < trace.length; at++) if (directory.use(trace[at])) hits++;
  return (100 * hits) / trace.length;
}

const [half = 'held-out', seedText = '1'] = process.argv.slice(2);
const families = { tuning: TUNING, 'held-out': HELD_OUT }[half];
if (!families) throw new Error(`tuning or held-out, not "${half}"`);
console.log(`| trace | chunks | ${POLICY_NAMES.join(' | ')} | below best | below LRU |`);
const rows = [];
for (const [family, make] of Object.entries(families)) {
  const trace = make(Number(seedText));
  for (const size of SIZES) {
    const ratios = Object.fromEntries(POLICY_NAMES.map((name) => [name, ratioOf(name, size, trace)]));
    const fixed = POLICY_NAMES.filter((name) => name !== 'auto').map((name) => ratios[name]);
    const row = { belowBest: Math.max(...fixed) - ratios.auto, belowLru: ratios.lru - ratios.auto };
    rows.push(row);
    const cells = POLICY_NAMES.map((name) => ratios[name].toFixed(2));
    const marks = [row.belowBest.toFixed(2), row.belowLru.toFixed(2)];
    const misses = row.belowBest > BELOW_BEST_MAX || row.belowLru > BELOW_LRU_MAX ? ' !' : '';
    console.log(`| ${[family, size, ...cells, ...marks].join(' | ')} |${misses}`);
  }
}
const most = (key) => Math.max(...rows.map((row) => row[key])).toFixed(2);
const over = (key, bound) => rows.filter((row) => row[key] > bound).length;
console.log(`${rows.length} rows, seed ${seedText}, ${half}:`);
console.log(
  `  more than ${BELOW_BEST_MAX} below the best: ${over('belowBest', BELOW_BEST_MAX)}, at most ${most('belowBest')}`,
);
console.log(
  `  more than ${BELOW_LRU_MAX} below LRU: ${over('belowLru', BELOW_LRU_MAX)}, at most ${most('belowLru')}`,
);

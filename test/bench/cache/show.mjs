/**
 * `pnpm bench cache`: hit ratios of every policy before the measurements; `--trace` instead of
 * them.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { printTable } from '../harness/report.mjs';
import { plot } from './plot.mjs';
import { OPTIMUM, replay } from './replay.mjs';
import { FORMATS, readTrace } from './trace.mjs';

const OLTP = fileURLToPath(new URL('../../data/traces/OLTP.lis.zst', import.meta.url));
const PLOT = fileURLToPath(new URL('../../../docs/cache-oltp.svg', import.meta.url));
const SIZES = [500, 1000, 2000, 5000, 10_000, 15_000];

/** Replays a trace of the user's. Prints the hit ratios as one line of JSON. */
export function replayTrace({ trace: path, format = 'list', sizes: text }) {
  if (!FORMATS.includes(format)) throw new Error(`--format takes ${FORMATS.join(', ')}, not "${format}"`);
  const sizes = text === undefined ? SIZES : text.split(',').map(Number);
  const bad = sizes.find((size) => !Number.isSafeInteger(size) || size < 1 || size > 2 ** 27);
  if (bad !== undefined) throw new Error(`--sizes takes numbers of chunks with commas, not "${text}"`);
  const trace = readTrace(path, format);
  // Standard output is for the line of JSON.
  const hitRatios = replay(trace, sizes, (name, size, ratio) =>
    console.error(`${name.padEnd(10)} ${String(size).padStart(9)} ${ratio.toFixed(2)} %`),
  );
  console.log(
    JSON.stringify({
      bench: 'cache',
      trace: path,
      format,
      uses: trace.length,
      chunks: new Set(trace).size,
      sizes,
      hitRatios,
    }),
  );
}

/** Prints the table of hit ratios on the OLTP trace, and writes the plot. */
export function showRatios({ quick }) {
  const trace = readTrace(OLTP, 'arc');
  const sizes = quick ? [1000] : SIZES;
  const begin = performance.now();
  const ratios = replay(trace, sizes, (name, size, ratio) => {
    if (!quick) console.log(`${name.padEnd(10)} ${String(size).padStart(6)} ${ratio.toFixed(2)} %`);
  });
  const seconds = ((performance.now() - begin) / 1000).toFixed(0);
  console.log(`\nhit ratios in percent, OLTP trace, ${trace.length} uses (${seconds} s)`);
  const row = ([name, bySize]) => {
    const cells = sizes.map((size) => bySize[size].toFixed(2));
    return [name === OPTIMUM ? 'Belady’s optimum' : `\`${name}\``].concat(cells);
  };
  const head = ['policy'].concat(sizes.map((size) => size.toLocaleString('en')));
  printTable(head, Object.entries(ratios).map(row), 1);
  console.log('');
  if (quick) return;
  writeFileSync(PLOT, plot('Hit ratios on the OLTP trace', sizes, ratios));
  console.log(`plot: ${PLOT}\n`);
}

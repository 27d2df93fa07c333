/** Runs one benchmark from beginning to end. */
import { environmentLines, load } from './environment.mjs';
import { median } from './measure.mjs';
import { findPlaces } from './place.mjs';
import { printLastLine, printProgress, printTable, readable } from './report.mjs';
import { runRounds } from './rounds.mjs';
import { scratchDirectory } from './scratch-directory.mjs';
import { FULL, QUICK } from './settings.mjs';

const ROUNDS = 5;

/** A row was asked for that there is not. */
export class UnknownRow extends Error {}

/** Drops figures that could not be measured because a contender was missing. */
const known = (entries) =>
  Object.fromEntries(Object.entries(entries).filter(([, value]) => Number.isFinite(value)));

/**
 * `benchmark` has a `name`, a `title`, `columns` (titles of the table by the figure they show),
 * `aims` (by ratio), perhaps `before({ quick })`, which shows what takes no turns, `contenders({ directory, places, settings, quick })`, and `figures(median)`
 * and `ratios(median)`, where `median(contender, figure)` is NaN for a contender that did not run.
 *
 * A contender has an `id`, a `label`, a `place`, the `command` to run, and perhaps `skipped`: why
 * it is not run, `timeoutMs`: how long it may take, and `rounds`: in how many it takes part at most.
 * `rows` limits all to contenders of these ids.
 */
export async function runBenchmark(benchmark, { quick, rows = [] }) {
  const places = findPlaces();
  const directory = scratchDirectory();
  console.log(`${benchmark.name}: ${benchmark.title}`);
  for (const line of environmentLines()) console.log(`  ${line}`);
  if (!places.pinned) console.log('  taskset is not there: nothing is pinned');
  if (places.two === undefined) console.log('  one CPU only: rows on two CPUs are left out');
  benchmark.before?.({ quick });
  const settings = quick ? QUICK : FULL;
  const whole = benchmark.contenders({ directory, places, settings, quick });
  const unknown = rows.find((row) => !whole.some(({ id }) => id === row));
  if (unknown !== undefined)
    throw new UnknownRow(`no row "${unknown}" (there are: ${whole.map(({ id }) => id).join(', ')})`);
  const all = rows.length === 0 ? whole : whole.filter(({ id }) => rows.includes(id));
  for (const { label, skipped } of all.filter((contender) => contender.skipped)) {
    console.log(`  skipped: ${label}: ${skipped}`);
  }
  const contenders = all.filter(({ place, skipped }) => place !== undefined && !skipped);
  const { measurements, rounds } = await runRounds(contenders, quick ? 1 : ROUNDS, printProgress);
  printResults(benchmark, contenders, measurements, rounds);
}

function printResults(benchmark, contenders, measurements, rounds) {
  const columns = Object.entries(benchmark.columns);
  const cell = (samples) =>
    samples.length === 0
      ? ''
      : `${readable(median(samples))} (${readable(Math.min(...samples))} to ${readable(Math.max(...samples))})`;
  const rows = contenders.map(({ id, label, place }) => [
    place.name,
    label,
    ...columns.map(([key]) => cell(measurements.samples(id, key))),
  ]);
  console.log(`\nmedian (lowest to highest) of ${rounds} round(s); load average at the end ${load()}`);
  printTable(['place', 'contender', ...columns.map(([, title]) => title)], rows, 2);
  const medianOf = (id, key) => measurements.median(id, key) ?? Number.NaN;
  const ratios = known(benchmark.ratios(medianOf));
  console.log('\nabove 1: ginit is better');
  const aims = Object.entries(ratios).map(([key, value]) => [
    `\`${key}\``,
    value.toPrecision(3),
    String(benchmark.aims[key] ?? ''),
  ]);
  printTable(['ratio', 'measured', 'aim'], aims, 1);
  printLastLine(benchmark.name, known(benchmark.figures(medianOf)), ratios);
}

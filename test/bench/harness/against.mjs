/**
 * Compares one benchmark's rows of ginit with those of another commit, to find out whether anything
 * became slower.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runOnce } from './contender.mjs';
import { environmentLines, load } from './environment.mjs';
import { GINIT } from './ginit-system.mjs';
import { median } from './measure.mjs';
import { commitOf, OtherTree } from './other-tree.mjs';
import { isSlower, medianInterval, NOT_SLOWER, pairedRatio, PAIRS_MIN } from './paired.mjs';
import { findPlaces } from './place.mjs';
import { printLastLine, printProgress, printTable, readable } from './report.mjs';
import { scratchDirectory } from './scratch-directory.mjs';
import { FULL, QUICK } from './settings.mjs';

/**
 * The number of pairs. With nine, the interval leaves out the lowest and the highest ratio, so that
 * one disturbed run does not decide.
 */
const PAIRS = 9;

/**
 * Measures `benchmark` of this tree and of `commit`, pair by pair. `rows` limits it to contenders
 * of these ids. Settles with whether nothing is slower.
 */
export async function runAgainst(benchmark, { commit, pairs = PAIRS, rows = [], quick = false }) {
  const other = commitOf(commit);
  const directory = scratchDirectory();
  let tree;
  try {
    console.log(`${benchmark.name} against ${other.slice(0, 9)}: ${benchmark.title}`);
    for (const line of environmentLines()) console.log(`  ${line}`);
    console.log(`  building ${other.slice(0, 9)} beside this tree`);
    tree = new OtherTree(other);
    const theirs = (await tree.benchmarks()).find(({ name }) => name === benchmark.name);
    if (theirs === undefined) throw new Error(`${commit} has no benchmark "${benchmark.name}"`);
    const compared = rowsOf(benchmark, theirs, { directory, rows, quick });
    const ratios = await runPairs(compared, quick ? 1 : Math.max(pairs, PAIRS_MIN));
    const kept = report(benchmark.name, compared, ratios);
    if (quick)
      console.error('bench: one short pair proves nothing; a quick run only finds out whether this works');
    return kept || quick;
  } finally {
    tree?.remove();
  }
}

/**
 * The rows that run ginit, in this tree and in the other one. A peer is the same in both, so it
 * says nothing.
 */
function rowsOf(benchmark, theirs, { directory, rows, quick }) {
  const places = findPlaces();
  const settings = quick ? QUICK : FULL;
  const contendersOf = (of, name) => {
    const own = join(directory, name);
    mkdirSync(own);
    return of.contenders({ directory: own, places, settings, quick });
  };
  const others = new Map(contendersOf(theirs, 'other').map((contender) => [contender.id, contender]));
  const runnable = contendersOf(benchmark, 'current').filter(
    ({ place, skipped, command }) => place !== undefined && !skipped && command.includes(GINIT),
  );
  for (const row of rows) {
    if (!runnable.some(({ id }) => id === row)) {
      throw new Error(`no row "${row}" (there are: ${runnable.map(({ id }) => id).join(', ')})`);
    }
  }
  const compared = [];
  for (const current of runnable) {
    const other = others.get(current.id);
    if (rows.length > 0 && !rows.includes(current.id)) continue;
    if (other === undefined) console.log(`  skipped: ${current.id}: the other commit has no such row`);
    else compared.push({ id: current.id, current, other });
  }
  if (compared.length === 0) throw new Error('there is nothing to compare');
  return compared;
}

/** Measures the ratios by row and figure. The build that runs first changes from pair to pair. */
async function runPairs(compared, pairs) {
  const samples = new Map();
  for (let pair = 1; pair <= pairs; pair++) {
    for (const { id, current, other } of compared) {
      const order = pair % 2 === 1 ? ['current', 'other'] : ['other', 'current'];
      const measured = {};
      for (const build of order) {
        measured[build] = await runOnce(build === 'current' ? current : other);
        printProgress(pair, { ...current, label: `${current.label} (${build})` }, measured[build]);
      }
      for (const [figure, value] of Object.entries(measured.current)) {
        const before = measured.other[figure];
        if (before === undefined) continue;
        const ratio = pairedRatio(figure, value, before);
        if (ratio === undefined) continue;
        const key = `${id}.${figure}`;
        const list = samples.get(key) ?? [];
        list.push({ ratio, current: value, other: before });
        samples.set(key, list);
      }
    }
  }
  return samples;
}

function report(name, compared, samples) {
  const labels = new Map(compared.map(({ id, current }) => [id, `${current.label}, ${current.place.name}`]));
  const table = [];
  const [figures, ratios] = [{}, {}];
  let slower = 0;
  for (const [key, list] of samples) {
    const [id, figure] = key.split('.');
    const interval = medianInterval(list.map(({ ratio }) => ratio));
    const worse = isSlower(interval);
    if (worse) slower++;
    const [current, other] = [median(list.map((one) => one.current)), median(list.map((one) => one.other))];
    figures[key] = current;
    ratios[key] = interval.median;
    table.push([
      labels.get(id),
      figure,
      readable(other),
      readable(current),
      interval.median.toFixed(3),
      `${interval.low.toFixed(3)} to ${interval.high.toFixed(3)}`,
      worse ? 'SLOWER' : 'not slower',
    ]);
  }
  const [first] = samples.values();
  const { confidence } = medianInterval(first.map(({ ratio }) => ratio));
  const percent = (confidence * 100).toFixed(1);
  console.log(
    `\nmedians of ${first.length} pair(s); above 1 this tree is better; intervals of ${percent} %; load average at the end ${load()}`,
  );
  printTable(['row', 'figure', 'before', 'now', 'ratio', 'interval', 'verdict'], table, 2);
  const verdict =
    slower === 0
      ? `nothing is slower than 3 %: every interval reaches above ${NOT_SLOWER}`
      : `${slower} of ${samples.size} figures are slower: their intervals end below ${NOT_SLOWER}`;
  console.log(`\n${verdict}`);
  printLastLine(`${name} against`, figures, ratios);
  return slower === 0;
}

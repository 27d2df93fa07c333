/**
 * The campaign on endings: the system of `endings.mjs`, seed after seed; all are run, those that
 * fail are listed.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../setup.mjs';
import { CONFIG, OPTIONS, PLAN } from './endings.mjs';

const GINIT = join(root, 'packages', 'init', 'bin', 'ginit.js');
/** Seeds of one run of ginit sim. */
const PIECE = 500;

/**
 * Writes the system into a directory; returns the arguments of `ginit sim` for it, seeds left out.
 */
export function writeEndings(directory) {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'endings.xml'), CONFIG);
  writeFileSync(join(directory, 'plan.xml'), PLAN);
  return [...OPTIONS, '--faults', join(directory, 'plan.xml'), join(directory, 'endings.xml')];
}

function simulate(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [GINIT, 'sim', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (more) => (text += more));
    child.on('close', (code) => resolve({ code, text }));
  });
}

/** Adds up the lines `N faults: KIND COUNT, …`. */
function addFaults(text, faults) {
  for (const [, line] of text.matchAll(/^ginit: sim: \d+ faults: (.*)$/gm)) {
    for (const [, kind, count] of line.matchAll(/([a-z -]+) (\d+)/g)) {
      faults.set(kind.trim(), (faults.get(kind.trim()) ?? 0) + Number(count));
    }
  }
}

/** Whether a seed gives one state, however often it runs. */
async function sameTwice(args, seed) {
  const runs = [];
  for (let time = 0; time < 2; time++) {
    const { text } = await simulate([...args, '--seed', String(seed), '--no-shrink']);
    runs.push(/^ginit: sim: (seed \d+: .*)$/m.exec(text)?.[1]);
  }
  const [first, second] = runs;
  if (first !== undefined && first === second) return true;
  console.log(`sim-campaign: seed ${seed} is not the same twice: ${first} and ${second}`);
  return false;
}

/** Runs the seeds; returns the exit code. */
export async function endingsCampaign([first, last], { jobs, every }) {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-sim-campaign-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const args = writeEndings(directory);
  const faults = new Map();
  const counts = { seeds: 0, failed: 0, twice: 0, differ: 0 };
  const startMs = performance.now();
  for (let from = first; from <= last; from += PIECE) {
    const to = Math.min(last, from + PIECE - 1);
    const { code, text } = await simulate([
      ...args,
      ...jobs,
      '--all',
      '--no-shrink',
      '--seeds',
      `${from}..${to}`,
    ]);
    const failed = /^ginit: sim: (\d+) seeds failed$/m.exec(text)?.[1];
    if (failed === undefined) {
      console.log(text.trimEnd());
      console.log(`sim-campaign: ginit sim ended with ${code}`);
      return 1;
    }
    counts.seeds += to - from + 1;
    counts.failed += Number(failed);
    addFaults(text, faults);
    if (Number(failed) > 0) {
      for (const line of text.split('\n'))
        if (/^ginit: sim: (\d+ times: |  seed )/.test(line)) console.log(line);
    }
    for (let seed = from; seed <= to; seed++) {
      if (seed % every !== 0) continue;
      counts.twice++;
      if (!(await sameTwice(args, seed))) counts.differ++;
    }
    const rate = Math.round((counts.seeds / (performance.now() - startMs)) * 60_000);
    console.error(`sim-campaign: seeds up to ${to}: ${counts.failed} failed (${rate} seeds a minute)`);
  }
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const kinds = [...faults]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, count]) => `${kind} ${count}`);
  console.log(`sim-campaign: ${total} faults: ${kinds.join(', ')}`);
  console.log(
    `sim-campaign: ${counts.seeds} seeds, ${counts.failed} failed; ${counts.twice} run twice, ${counts.differ} differ`,
  );
  return counts.failed + counts.differ > 0 ? 1 : 0;
}

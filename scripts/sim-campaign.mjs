// Simulates a system with faults, seed after seed: npm run sim-campaign -- [--system NAME] [--seeds
// N..M]. See docs/simulator.md.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { root, setUp } from './setup.mjs';
import { endingsCampaign } from './sim-campaign/endings-campaign.mjs';
import { judge, missing } from './sim-campaign/judge.mjs';
import { configText, filesAfter, PLAN } from './sim-campaign/system.mjs';

const HELP = `sim-campaign: simulates a system with faults, seed after seed

  storage         the storage example with crashes and power cuts; e2fsck judges its disks
  endings         inits in inits, with hostile servers and clients among honest ones; everybody dies in any order

  npm run sim-campaign -- [OPTIONS]

  --system NAME   storage (default) or endings
  --seeds N..M    which seeds (default 1..10000; of endings 1..20000)
  --judge-every N the disk of every so manieth seed is judged (default 100)
  --twice-every N of endings, every so manieth seed is run twice more and must be the same (default 500)
  --jobs N        threads (default: one a CPU)
  --keep DIR      put the disks that are judged wrong there
  --no-judge      judge no disk: e2fsprogs is not needed
  --as-built      run what is compiled already, do not set up first
  --help          this text

The last line says how many seeds ran, and how many failed; storage stops for none of them, endings lists them by what failed. The exit
code is 0 if none did, 1 if some did, 2 if the command line is
wrong or e2fsprogs is missing.`;

const USAGE_EXIT_CODE = 2;
/** Seeds of one run of ginit sim. */
const PIECE = 100;
const GINIT = join(root, 'packages', 'init', 'bin', 'ginit.js');

function usage(text) {
  console.error(`sim-campaign: ${text}`);
  process.exit(USAGE_EXIT_CODE);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        system: { type: 'string', default: 'storage' },
        seeds: { type: 'string' },
        'judge-every': { type: 'string', default: '100' },
        'twice-every': { type: 'string', default: '500' },
        jobs: { type: 'string' },
        keep: { type: 'string' },
        'no-judge': { type: 'boolean', default: false },
        'as-built': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    return usage(error.message);
  }
}

function rangeOf(text) {
  const [, first, last] =
    /^(\d{1,15})\.\.(\d{1,15})$/.exec(text) ?? usage(`--seeds ${text}: not a range (for example 1..100)`);
  if (Number(first) > Number(last)) usage(`--seeds ${text}: the range is empty`);
  return [Number(first), Number(last)];
}

const jobsOf = ({ jobs }) => (jobs === undefined ? [] : ['--jobs', jobs]);

function checkCount(name, text) {
  if (!/^[1-9]\d{0,8}$/.test(text)) usage(`--${name} is a whole number from 1 on`);
}

function ginit(directory, ...args) {
  const all = [GINIT, 'sim', '--faults', 'plan.xml', ...args, 'storage.xml'];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, all, {
    cwd: directory,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (signal) process.exit(1);
  return { status, stdout, stderr };
}

/** Runs seeds, goes on behind one that fails; returns how many failed. */
function runPiece(directory, first, last, jobs) {
  let failed = 0;
  for (let seed = first; seed <= last; ) {
    const { status, stderr } = ginit(directory, '--seeds', `${seed}..${last}`, '--any-exit', ...jobs);
    if (status === 0) break;
    const found = /^ginit: sim: seed (\d+): /m.exec(stderr)?.[1];
    console.log(stderr.trimEnd());
    if (found === undefined) process.exit(1);
    failed++;
    seed = Number(found) + 1;
  }
  return failed;
}

/** Has the disk of a seed judged; true if nothing is wrong with it. */
function judgeSeed(directory, seed, keep, counts) {
  const { stdout } = ginit(
    directory,
    '--seed',
    String(seed),
    '--any-exit',
    '--no-shrink',
    '--images',
    'after',
  );
  const syncs = stdout.match(/^\[init -> tool\] sync: ok$/gm)?.length ?? 0;
  const image = join(directory, 'after', 'disk.img');
  const { problems, mended } = judge(image, filesAfter(syncs));
  counts.judged++;
  counts.mended += mended ? 1 : 0;
  counts.syncs += syncs;
  if (problems.length === 0) return;
  counts.bad++;
  console.log(`sim-campaign: seed ${seed}: the disk is wrong after ${syncs} SYNCs:`);
  for (const problem of problems) console.log(`sim-campaign:   ${problem}`);
  if (keep === undefined) return;
  mkdirSync(keep, { recursive: true });
  copyFileSync(image, join(keep, `seed-${seed}.img`));
}

function prepare() {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-sim-campaign-'));
  writeFileSync(join(directory, 'storage.xml'), configText());
  writeFileSync(join(directory, 'plan.xml'), PLAN);
  writeFileSync(join(directory, 'disk.img'), gunzipSync(readFileSync(join(root, 'examples', 'disk.img.gz'))));
  return directory;
}

async function storageCampaign([first, last], values) {
  const every = values['no-judge'] ? Number.POSITIVE_INFINITY : Number(values['judge-every']);
  const jobs = jobsOf(values);
  const counts = { seeds: 0, failed: 0, judged: 0, mended: 0, bad: 0, syncs: 0 };
  const directory = prepare();
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  // An interrupt ends the run under way, and then this; other signals wait for that run.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(1));
  const startMs = performance.now();
  for (let from = first; from <= last; from += PIECE) {
    const to = Math.min(last, from + PIECE - 1);
    await new Promise((resolve) => setImmediate(resolve));
    counts.failed += runPiece(directory, from, to, jobs);
    counts.seeds += to - from + 1;
    for (let seed = from; seed <= to; seed++) {
      if (seed % every === 0) judgeSeed(directory, seed, values.keep, counts);
    }
    const rate = Math.round((counts.seeds / (performance.now() - startMs)) * 60_000);
    console.error(
      `sim-campaign: seeds up to ${to}: ${counts.failed} failed, ${counts.bad} disks wrong (${rate} seeds a minute)`,
    );
  }
  const disks = `${counts.judged} disks judged after ${counts.syncs} SYNCs: ${counts.mended} had to be mended, ${counts.bad} wrong`;
  console.log(`sim-campaign: ${counts.seeds} seeds, ${counts.failed} failed; ${disks}`);
  return counts.failed + counts.bad > 0 ? 1 : 0;
}

const values = readArguments();
if (values.help) {
  console.log(HELP);
} else {
  const endings = values.system === 'endings';
  if (!endings && values.system !== 'storage') usage(`--system ${values.system}: storage or endings`);
  const range = rangeOf(values.seeds ?? (endings ? '1..20000' : '1..10000'));
  checkCount('judge-every', values['judge-every']);
  checkCount('twice-every', values['twice-every']);
  if (!endings && !values['no-judge'] && missing.length > 0) {
    usage(`${missing.join(' and ')} missing: install e2fsprogs, or leave the judging out with --no-judge`);
  }
  if (!values['as-built']) setUp();
  process.exitCode = endings
    ? await endingsCampaign(range, { jobs: jobsOf(values), every: Number(values['twice-every']) })
    : await storageCampaign(range, values);
}

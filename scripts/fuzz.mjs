// Runs the property tests with new seeds, again and again: pnpm fuzz [--seconds N] [--seed S]
// [--runs N] [FILES…].
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile, root, setUp } from './setup.mjs';

const HELP = `fuzz: runs the property tests with other seeds than "pnpm test" does

  pnpm fuzz [OPTIONS] [FILES]

  --seconds N   start new rounds for so long (default 600)
  --seed S      one round, with this seed, as a failed one printed it
  --runs N      how often a round tries properties that take much time (partition tables: 10000 take some minutes)
  --help        this text

FILES are test files, or parts of their names; by default all that have properties. Each round prints its seed. It ends at the
first failure, with exit code 1; with 2 if the command line is wrong.`;

const USAGE_EXIT_CODE = 2;
const DEFAULT_SECONDS = 600;
const SEEDS = 2 ** 31;

function usage(text) {
  console.error(`fuzz: ${text}`);
  console.error('fuzz: try "pnpm fuzz --help"');
  process.exit(USAGE_EXIT_CODE);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        seconds: { type: 'string' },
        seed: { type: 'string' },
        runs: { type: 'string' },
        help: { type: 'boolean' },
      },
      allowPositionals: true,
    });
  } catch (error) {
    return usage(error.message);
  }
}

function number(name, text, most) {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || Number(text) > most) usage(`--${name} is a number up to ${most}, not "${text}"`);
  return Number(text);
}

/**
 * What shows that a test file tries a property: with fast-check, as often as `--runs` says, or by
 * the shared check of config pairs. (Its canary breaks the plan on purpose, and has no property.)
 */
const PROPERTY = /fc\.assert|propertyRuns\(|checkConfigPairs\(false\)/;

function propertyFiles(parts) {
  const wanted = (file) => parts.length === 0 || parts.some((part) => file.includes(part));
  return ['test', ...readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'test'))]
    .flatMap((tests) => readdirSync(join(root, tests), { recursive: true }).map((file) => join(tests, file)))
    .filter((file) => file.endsWith('.test.ts') && wanted(file))
    .filter((file) => PROPERTY.test(readFileSync(join(root, file), 'utf8')));
}

function round(files, seed) {
  const more = runs === undefined ? {} : { GINIT_PROPERTY_RUNS: String(runs) };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...files],
    { cwd: root, encoding: 'utf8', env: { ...process.env, ...more, GINIT_PROPERTY_SEED: String(seed) } },
  );
  if (status !== 0) console.log(`${stdout}${stderr}`);
  return status === 0;
}

const { values, positionals } = readArguments();
if (values.help) {
  console.log(HELP);
  process.exit();
}
const only = number('seed', values.seed, SEEDS - 1);
const runs = number('runs', values.runs, SEEDS);
const seconds = number('seconds', values.seconds, SEEDS) ?? DEFAULT_SECONDS;
const files = propertyFiles(positionals);
if (files.length === 0) usage(`no test file with properties has a name with ${positionals.join(' or ')}`);
await setUp();
compile([]);

/** Rounds until the time is over; one, if its seed is given. */
function rounds() {
  const endMs = only === undefined ? Date.now() + seconds * 1000 : 0;
  let count = 0;
  do {
    const seed = only ?? Math.floor(Math.random() * SEEDS);
    count++;
    console.log(`fuzz: round ${count}, seed ${seed}, ${files.length} files`);
    if (!round(files, seed)) {
      console.log(`fuzz: failed; again with: pnpm fuzz --seed ${seed}`);
      process.exit(1);
    }
  } while (Date.now() < endMs);
  return count;
}

const count = rounds();
console.log(`fuzz: ${count} ${count === 1 ? 'round' : 'rounds'}, nothing found`);

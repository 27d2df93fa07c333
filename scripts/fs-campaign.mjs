// Tries file systems with as many seeds as one likes:
// npm run fs-campaign -- hostile|crash|model TYPE [--count N] [--seed S].
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile, root, setUp } from './setup.mjs';

const HELP = `fs-campaign: tries the file systems of rumpfs with hostile images, power failures, or long sequences of operations

  npm run fs-campaign -- hostile ext2|ext4|msdos|exfat|cd9660|ffs [OPTIONS]
  npm run fs-campaign -- crash   ext2|ext4|msdos|exfat|ffs        [OPTIONS]
  npm run fs-campaign -- model   ext2|ext4|msdos|exfat|ffs        [OPTIONS]

  --count N   so many images (default 1000), or runs: each with a power failure at every write of it (default 20), or
              each of 600 random steps that are compared with a model (default 40)
  --seed S    the first of as many seeds that follow each other (default: another one each time)
  --help      this text

A line says how far it is; the last one has the counts. Exit code 1 says that something was found, with its seed; 2 that the
command line is wrong.`;

const USAGE_EXIT_CODE = 2;
const KINDS = {
  hostile: ['ext2', 'ext4', 'msdos', 'exfat', 'cd9660', 'ffs'],
  crash: ['ext2', 'ext4', 'msdos', 'exfat', 'ffs'],
  model: ['ext2', 'ext4', 'msdos', 'exfat', 'ffs'],
};
const USUAL_COUNTS = { hostile: 1000, crash: 20, model: 40 };
const SEEDS = 2 ** 31;
/** A test that has said nothing for so long hangs. */
const SILENCE_MS = 300_000;

function usage(text) {
  console.error(`fs-campaign: ${text}`);
  console.error('fs-campaign: try "npm run fs-campaign -- --help"');
  process.exit(USAGE_EXIT_CODE);
}

function readArguments() {
  try {
    return parseArgs({
      options: { count: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean' } },
      allowPositionals: true,
    });
  } catch (error) {
    return usage(error.message);
  }
}

function number(name, text, most) {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || Number(text) > most || Number(text) < 1)
    usage(`--${name} is a number from 1 to ${most}, not "${text}"`);
  return Number(text);
}

const { values, positionals } = readArguments();
if (values.help) {
  console.log(HELP);
  process.exit();
}
const [kind, type, ...others] = positionals;
if (KINDS[kind] === undefined) usage('says "hostile", "crash" or "model"');
if (!KINDS[kind].includes(type) || others.length > 0) usage(`${kind} wants one of ${KINDS[kind].join(', ')}`);
const count = number('count', values.count, 100_000_000) ?? USUAL_COUNTS[kind];
const seed = number('seed', values.seed, SEEDS) ?? Math.floor(Math.random() * SEEDS);

await setUp();
compile([]);
console.log(`fs-campaign: ${kind} ${type}, ${count} from seed ${seed} on`);

const tests = join('packages', 'rumpfs', 'test', kind, 'campaign.test.ts');
const child = spawn(
  process.execPath,
  [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--disable-console-intercept=true', tests],
  {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      GINIT_CAMPAIGN: `${kind} ${type}`,
      GINIT_CAMPAIGN_COUNT: String(count),
      GINIT_CAMPAIGN_SEED: String(seed),
    },
  },
);
let last = 'it has not begun';
const silence = setTimeout(() => {
  console.error(`fs-campaign: hangs, after: ${last}`);
  process.kill(-child.pid, 'SIGKILL');
}, SILENCE_MS);
child.stdout.on('data', (bytes) => {
  silence.refresh();
  const text = bytes.toString();
  last = text.trim().split('\n').at(-1) ?? last;
  process.stdout.write(text);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.kill(-child.pid, signal));
child.on('exit', (code) => {
  clearTimeout(silence);
  process.exitCode = code === 0 ? 0 : 1;
});

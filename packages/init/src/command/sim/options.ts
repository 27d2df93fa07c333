/** The command line of `ginit sim`. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { parseBytes } from '@ginit/core/config';
import type { CarrierChoice } from '@ginit/simulator';
import type { Quota } from '../../model/index.ts';
import { ROOT_CAPS } from '../root-quota.ts';

/** The help text of `ginit sim`. */
export const SIM_HELP = `ginit sim: runs a system in one thread, on a virtual clock; a seed decides the order of everything

  ginit sim [OPTIONS] CONFIG.xml

  --seed N        the seed (default: 1); the same seed gives the same run, byte for byte
  --seeds N..M    run all of these, silently, and stop at the first that fails
  --all           with --seeds: go on behind a seed that fails; at the end say how often which property failed
  --replay N      look closely at this seed: its schedule as with --log, and in it the faults, the ends of components,
                  what does not hold and since when, and at the end who waits for whom; these lines have a " ! "
  --any-exit      with --seeds: an exit code other than 0 is no failure
  --jobs N        threads for --seeds (default: one a CPU)
  --until TIME    virtual time to run at most, for example 90s, 10m, 1h (default: 1h)
  --tasks N       things that may happen at most (default: 10000000)
  --patience TIME a call that nobody has answered for so long is a failure (default: 10m)
  --faults FILE   a fault plan: what is to go wrong, by the seed; when a seed fails it is found out which faults it needs
  --no-shrink     that is not found out
  --shrink-runs N runs for that at most (default: 200)
  --only-faults L of the faults of a run, these by their numbers, for example 3,7; or none
  --carriers HOW  how components are joined: placement (default), shared, copying; bus: each process on a machine of its own
  --share-modules instances of a component share its modules: saves most of the time of short runs, if no module has state
  --images DIR    write the disks as they are at the end to this directory
  --log           write the schedule to standard error, a line for each thing that happens
  --summary       at the end, list the components
  --ram SIZE      RAM quota of the whole system (default: 1G)

Files that the config grants are read when they are first opened, and never written. Exit codes are those of ginit; 3 if a
check of the simulator's fails: see docs/simulator.md.`;

/** The options of a simulation. */
export interface SimOptions {
  readonly file: string;
  readonly quota: Quota;
  readonly carriers: CarrierChoice;
  readonly untilUs: number;
  readonly tasksMax: number;
  readonly patienceUs: number;
  readonly faults: string | undefined;
  /** Numbers of the faults that may happen; `undefined` if all may. */
  readonly onlyFaults: readonly number[] | undefined;
  readonly shrink: boolean;
  readonly shrinkRunsMax: number;
  /** Whether instances of components share their modules. */
  readonly shareModules: boolean;
  readonly images: string | undefined;
  /** Whether the schedule is written. */
  readonly log: boolean;
  /** Whether the schedule is written with annotations. */
  readonly replay: boolean;
  readonly summary: boolean;
  /** First and last seed. */
  readonly seeds: readonly [number, number];
  /** Whether many seeds are run, silently. */
  readonly many: boolean;
  readonly anyExit: boolean;
  /** Whether the run goes on after a seed that fails. */
  readonly all: boolean;
  readonly jobs: number;
}

const JOBS_MAX = 256;
const FAULTS_MAX = 1_000_000;
const SHRINK_RUNS_MAX = 1_000_000;
const UNITS_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
};

const OPTIONS = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  replay: { type: 'string' },
  'any-exit': { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  jobs: { type: 'string' },
  until: { type: 'string', default: '1h' },
  tasks: { type: 'string', default: '10000000' },
  patience: { type: 'string', default: '10m' },
  faults: { type: 'string' },
  'no-shrink': { type: 'boolean', default: false },
  'shrink-runs': { type: 'string', default: '200' },
  'only-faults': { type: 'string' },
  carriers: { type: 'string', default: 'placement' },
  'share-modules': { type: 'boolean', default: false },
  images: { type: 'string' },
  log: { type: 'boolean', default: false },
  summary: { type: 'boolean', default: false },
  ram: { type: 'string', default: '1G' },
} as const;

class WrongUse extends Error {}

function timeUs(option: string, text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(us|ms|s|m|h|d)$/.exec(text) ?? [];
  const us = Math.round(Number(digits) * (UNITS_US[unit] ?? 0));
  if (us > 0 && Number.isSafeInteger(us)) return us;
  throw new WrongUse(`--${option} ${text}: not a time (for example 90s, 10m, 1h)`);
}

function whole(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new WrongUse(`--${option} ${text}: not a whole number from ${least} to ${most}`);
}

type SeedChoice = Readonly<Partial<Record<'seed' | 'seeds' | 'replay', string | undefined>>>;

function seedsOf({ seed, seeds, replay }: SeedChoice): readonly [number, number] {
  if ([seed, seeds, replay].filter((text) => text !== undefined).length > 1)
    throw new WrongUse('one of --seed, --seeds and --replay at a time');
  if (seeds === undefined) {
    const option = replay === undefined ? 'seed' : 'replay';
    const one = whole(option, replay ?? seed ?? '1', 0, Number.MAX_SAFE_INTEGER);
    return [one, one];
  }
  const [, first = '', last = ''] = /^(\d+)\.\.(\d+)$/.exec(seeds) ?? [];
  if (first === '') throw new WrongUse(`--seeds ${seeds}: not a range (for example 1..100)`);
  const range = [
    whole('seeds', first, 0, Number.MAX_SAFE_INTEGER),
    whole('seeds', last, 0, Number.MAX_SAFE_INTEGER),
  ] as const;
  if (range[0] > range[1]) throw new WrongUse(`--seeds ${seeds}: the range is empty`);
  return range;
}

function carriersOf(text: string): CarrierChoice {
  if (text === 'placement' || text === 'shared' || text === 'copying' || text === 'bus') return text;
  throw new WrongUse(`--carriers ${text}: not one of placement, shared, copying, bus`);
}

function numbersOf(text: string | undefined, plan: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  if (plan === undefined)
    throw new WrongUse('--only-faults is for a fault plan: --faults FILE --only-faults 3,7');
  if (text === 'none') return [];
  return text.split(',').map((part) => whole('only-faults', part, 1, FAULTS_MAX));
}

/** Reads the arguments after `sim`. A string as the result says what is wrong with them. */
export function parseSimArguments(args: readonly string[]): SimOptions | string {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const [file, extra] = positionals;
    if (file === undefined) return 'no config file given';
    if (extra !== undefined) return `one config file at a time, not also "${extra}"`;
    const ram = parseBytes(values.ram);
    if (ram === undefined) return `--ram ${values.ram}: not a size (for example 512M or 2G)`;
    const many = values.seeds !== undefined;
    if (values.all && !many) return '--all is for many seeds: --seeds N..M --all';
    if (many && values.log) return '--log is for one seed: --seed N --log';
    if (many && values.images !== undefined) return '--images is for one seed: --seed N --images DIR';
    return {
      file,
      quota: { ram, caps: ROOT_CAPS },
      carriers: carriersOf(values.carriers),
      untilUs: timeUs('until', values.until),
      tasksMax: whole('tasks', values.tasks, 1, Number.MAX_SAFE_INTEGER),
      patienceUs: timeUs('patience', values.patience),
      faults: values.faults,
      onlyFaults: numbersOf(values['only-faults'], values.faults),
      shrink: !values['no-shrink'],
      shrinkRunsMax: whole('shrink-runs', values['shrink-runs'], 1, SHRINK_RUNS_MAX),
      shareModules: values['share-modules'],
      images: values.images,
      log: values.log || values.replay !== undefined,
      replay: values.replay !== undefined,
      summary: values.summary,
      seeds: seedsOf(values),
      many,
      anyExit: values['any-exit'],
      all: values.all,
      jobs: whole('jobs', values.jobs ?? String(availableParallelism()), 1, JOBS_MAX),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

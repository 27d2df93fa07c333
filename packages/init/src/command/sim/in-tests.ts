/** The simulator for tests: what `ginit sim` does, as functions that give what a run came to. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { hasFailed, runSeeds, SeedPool, type SeedVerdict, shrinkFaults } from '@ginit/simulator';
import type { LinesAnswer, LinesTask } from './lines-worker.ts';
import { prepare, type SimTexts } from './main.ts';
import { parseSimArguments, type SimOptions } from './options.ts';
import type { SeedOptions } from './seed-options.ts';
import { onlyOption } from './shrunk.ts';

const LINES_WORKER = new URL('./lines-worker.js', import.meta.url);
const SEED_WORKER = fileURLToPath(new URL('./seed-worker.js', import.meta.url));
/** The names of a config and a plan in messages, if they are no files. */
const CONFIG_NAME = 'config.xml';
const FAULTS_NAME = 'faults.xml';

/**
 * The system to simulate, and the way to do it. Times are those of the command line: `90s`, `10m`,
 * `1h`.
 */
export interface SimulationOptions {
  /** The config: the path of its file, or its text, which begins with `<`. */
  readonly config: string;
  /**
   * Paths in a config that is a text are relative to this directory; the current one unless told.
   */
  readonly directory?: string;
  /** A fault plan: the path of its file, or its text, which begins with `<`. */
  readonly faults?: string;
  /** Of the faults of a run, these by their numbers, as a replay command says them. */
  readonly onlyFaults?: readonly number[];
  /** Virtual time to run at most; `1h` unless told. */
  readonly until?: string;
  /** A call that nobody has answered for so long is a failure; `10m` unless told. */
  readonly patience?: string;
  /** Things that may happen at most; 10000000 unless told. */
  readonly tasks?: number;
  /** How components are joined; as their placement has it unless told. */
  readonly carriers?: 'placement' | 'shared' | 'copying' | 'bus';
  /** RAM quota of the whole system, for example `512M`; `1G` unless told. */
  readonly ram?: string;
  /**
   * Instances of a component share its modules: saves most of the time of short runs, if no module
   * has state.
   */
  readonly shareModules?: boolean;
}

/** One run. */
export interface SimulateOptions extends SimulationOptions {
  /** Decides the order of everything; 1 unless told. */
  readonly seed?: number;
  /** The schedule is kept and annotated, as with `--replay`. */
  readonly schedule?: boolean;
}

/** Many runs. */
export interface SimulateSeedsOptions extends SimulationOptions {
  /** The first and the last seed. */
  readonly seeds: readonly [number, number];
  /** An exit code other than 0 is no failure. */
  readonly anyExit?: boolean;
  /** Threads; one a CPU unless told. */
  readonly jobs?: number;
  /** With `false` it is not found out which faults the seed that fails needs. */
  readonly shrink?: boolean;
}

/** The result of a run. */
export interface SimulatedRun {
  readonly seed: number;
  /** As that of `ginit sim`: 3 if a check of the simulator's has failed. */
  readonly exitCode: number;
  /** The first property that did not hold; none if all did. */
  readonly problem: string | undefined;
  /** The same config and seed give the same, byte for byte. */
  readonly stateHash: string;
  readonly virtualMs: number;
  /** How many things happened. */
  readonly tasks: number;
  /** How often each kind of fault has come about. */
  readonly faults: ReadonlyMap<string, number>;
  /** The command that shows the run. */
  readonly replay: string;
}

/** One run, with what was said in it. */
export interface SimulatedRunWithLines extends SimulatedRun {
  /** Lines of components: `[init -> child] text`. */
  readonly log: readonly string[];
  /** The messages of ginit and of the simulator. */
  readonly said: readonly string[];
  /** Empty unless asked for. */
  readonly schedule: readonly string[];
  /** The disks as they were at the end, by their paths. */
  readonly images: ReadonlyMap<string, Uint8Array>;
}

/** The result of many runs. */
export interface SimulatedSeeds {
  /** How many have run. */
  readonly runs: number;
  /**
   * The first that failed, in the order of the seeds, with as few faults as it needs; none if all
   * went well.
   */
  readonly failure: SimulatedRun | undefined;
}

/**
 * A config, a plan or an option that cannot be simulated; nothing has run. The message is what
 * `ginit sim` says.
 */
export class SimulationRefused extends Error {
  override readonly name = 'SimulationRefused';
}

/**
 * Runs a whole system simulated, in a thread of its own. Rejects with `SimulationRefused` if the
 * config is wrong; a run that fails does not reject: look at `problem` and `exitCode`.
 */
export async function simulate(options: SimulateOptions): Promise<SimulatedRunWithLines> {
  const { seed = 1, schedule = false } = options;
  const prepared = await preparedOf(options, [schedule ? '--replay' : '--seed', String(seed)]);
  const { verdict, ...lines } = await runWithLines({ seed, options: prepared.options });
  return { ...runOf(verdict, prepared.command), ...lines };
}

/** Runs a range of seeds, on several threads, and stops at the first that fails. */
export async function simulateSeeds(options: SimulateSeedsOptions): Promise<SimulatedSeeds> {
  const { seeds, anyExit = false, jobs, shrink = true } = options;
  const many = ['--seeds', seeds.join('..'), ...(jobs === undefined ? [] : ['--jobs', String(jobs)])];
  const prepared = await preparedOf(options, many);
  const { sim } = prepared;
  const work = {
    worker: SEED_WORKER,
    workerData: prepared.options,
    sharesModules: prepared.options.shareModules,
  };
  const threads = Math.min(sim.jobs, seeds[1] - seeds[0] + 1);
  // The run that such an error belongs to fails by itself.
  const pool = new SeedPool(work, threads, () => {});
  try {
    let runs = 0;
    const failed = await runSeeds(pool, seeds, false, (verdict) => {
      runs++;
      return hasFailed(verdict, anyExit);
    });
    if (!failed) return { runs, failure: undefined };
    if (!shrink || failed.struck.length === 0) return { runs, failure: runOf(failed, prepared.command) };
    const { shrinkRunsMax: runsMax } = sim;
    const { verdict } = await shrinkFaults(failed, pool, { anyExit, runsMax, progress: () => {} });
    return { runs, failure: runOf(verdict, [...prepared.command, onlyOption(verdict.struck)]) };
  } finally {
    await pool.close();
  }
}

interface Prepared {
  readonly sim: SimOptions;
  readonly options: SeedOptions;
  /** The command that simulates the same, but for its seed. */
  readonly command: readonly string[];
}

async function preparedOf(options: SimulationOptions, seeds: readonly string[]): Promise<Prepared> {
  const { config, directory = '.', faults } = options;
  const texts: SimTexts = { config: textOf(config), faults: textOf(faults) };
  const file = texts.config === undefined ? config : join(directory, CONFIG_NAME);
  const plan = texts.faults === undefined ? faults : join(directory, FAULTS_NAME);
  const given = argumentsOf(options, plan);
  const sim = parseSimArguments([...given, ...seeds, file]);
  if (typeof sim === 'string') throw new SimulationRefused(sim);
  const said: string[] = [];
  const output = {
    plain: (text: string): void => void said.push(text),
    complaint: (text: string): void => void said.push(text),
  };
  const prepared = await prepare(sim, output, texts);
  if (!prepared) throw new SimulationRefused(said.join('\n'));
  return { sim, options: prepared, command: ['ginit sim', file, ...given] };
}

function textOf(config: string | undefined): string | undefined {
  return config?.trimStart().startsWith('<') ? config : undefined;
}

function argumentsOf(options: SimulationOptions, plan: string | undefined): string[] {
  const { onlyFaults, until, patience, tasks, carriers, ram, shareModules = false } = options;
  const only = onlyFaults?.length === 0 ? 'none' : onlyFaults?.join();
  const values = {
    '--faults': plan,
    '--only-faults': only,
    '--until': until,
    '--patience': patience,
    '--tasks': tasks === undefined ? undefined : String(tasks),
    '--carriers': carriers,
    '--ram': ram,
  };
  const given = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  return shareModules ? [...given, '--share-modules'] : given;
}

function runOf(verdict: SeedVerdict, command: readonly string[]): SimulatedRun {
  const { seed, code, problem, hash, virtualUs, tasks, happened } = verdict;
  const replay = [...command, `--replay ${seed}`].join(' ');
  const counts = { virtualMs: virtualUs / 1000, tasks, faults: happened };
  return { seed, exitCode: code, problem, stateHash: hash, ...counts, replay };
}

function runWithLines(task: LinesTask): Promise<LinesAnswer> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(LINES_WORKER, { workerData: task });
    let answer: LinesAnswer | undefined;
    worker.on('message', (message) => {
      // The thread runs our own code: what it answers has this type. What the run has left pending
      // goes with it.
      answer = message as LinesAnswer;
      void worker.terminate();
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (answer) resolve(answer);
      else reject(new Error(`the thread of the simulation ended with code ${code}, without a verdict`));
    });
  });
}

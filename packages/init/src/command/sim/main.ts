/** `ginit sim`: checks a config, runs it simulated, and says how it went. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, configContent } from '@ginit/core/config';
import { withoutJails } from '@ginit/core/supervisor';
import {
  BROKEN_EXIT_CODE,
  countFaults,
  type FaultPlan,
  hasFailed,
  needsBus,
  runSeed,
  runSeeds,
  SeedPool,
  type SeedResult,
  type SeedVerdict,
  shrinkFaults,
  verdictOf,
} from '@ginit/simulator';
import { startsOf } from '../../check/index.ts';
import type { InitConfig } from '../../model/index.ts';
import { Binaries } from '../binaries.ts';
import { readCheckedConfig } from '../checked-config.ts';
import type { ComponentImports } from '../component-imports.ts';
import type { Output } from '../output.ts';
import { componentUses } from '../read-components.ts';
import { grantsOf } from '../grant-targets.ts';
import { readFaultPlan } from './fault-plan.ts';
import { parseSimArguments, SIM_HELP, type SimOptions } from './options.ts';
import { Progress } from './progress.ts';
import { type PlainConfig, type SeedOptions, systemOf } from './seed-options.ts';
import { onlyOption, sayShrunk } from './shrunk.ts';
import { StatusLine } from '../status-line.ts';
import { Tally } from './tally.ts';

const USAGE_EXIT_CODE = 2;
const NO_FAULTS = { plan: [], configFiles: [] };
const SEED_WORKER = fileURLToPath(new URL('./seed-worker.js', import.meta.url));

/** Runs the command with the arguments after `sim`; the result is its exit code. */
export async function simulate(args: readonly string[], output: Output): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    await output.text(SIM_HELP);
    return 0;
  }
  const options = parseSimArguments(args);
  if (typeof options === 'string') {
    output.say(options);
    output.say('try "ginit sim --help"');
    return USAGE_EXIT_CODE;
  }
  const prepared = await prepare(options, output);
  if (!prepared) return USAGE_EXIT_CODE;
  return options.many ? runMany(options, prepared, output) : runOne(options, prepared, output);
}

/**
 * Texts that stand in the place of files: a config or a fault plan that was written where it is
 * used.
 */
export interface SimTexts {
  readonly config?: string | undefined;
  readonly faults?: string | undefined;
}

/**
 * Checks everything that can be checked before a run. The result is `undefined` if something is
 * wrong; then the output has said what.
 */
export async function prepare(
  options: SimOptions,
  output: Pick<Output, 'plain' | 'complaint'>,
  texts: SimTexts = {},
): Promise<SeedOptions | undefined> {
  const faults = options.faults === undefined ? NO_FAULTS : readFaultPlan(options.faults, texts.faults);
  const [plan, configFiles] = 'errors' in faults ? [[], []] : [faults.plan, faults.configFiles];
  const wrongPlan =
    'errors' in faults
      ? faults.errors
      : [...missingFaults(plan, options.onlyFaults), ...missingBus(plan, options)];
  const first = await prepareConfig(options.file, options, output, texts.config);
  const later: (PreparedConfig | undefined)[] = [];
  const directory = dirname(options.faults ?? '');
  for (const file of configFiles) later.push(await prepareConfig(join(directory, file), options, output));
  for (const text of wrongPlan) output.plain(text);
  const configs = later.filter((config) => config !== undefined);
  if (!first || configs.length < later.length || wrongPlan.length > 0) return undefined;
  return seedOptions(options, first, configs, options.faults === undefined ? undefined : plan);
}

/** A config that may be simulated, and what init makes of it. */
interface PreparedConfig {
  readonly plain: PlainConfig;
  readonly config: InitConfig;
}

/**
 * Checks a config. The result is `undefined` if something is wrong; then the output has said what.
 */
async function prepareConfig(
  file: string,
  { quota }: SimOptions,
  output: Pick<Output, 'plain' | 'complaint'>,
  text?: string,
): Promise<PreparedConfig | undefined> {
  const checked = await readCheckedConfig(file, quota, undefined, text);
  const { node, config, binaries, imports, targets, errors, warnings } = checked;
  const unfit = errors.length === 0 && config ? unfitComponents(file, config, imports) : [];
  const all = [...errors, ...unfit];
  for (const line of [...warnings, ...all]) output.plain(line);
  if (checked.lack !== undefined) output.complaint(withoutJails(checked.lack));
  if (all.length > 0 || !node || !config) return undefined;
  return { plain: { config: configContent(node), binaries, grants: grantsOf(config, targets) }, config };
}

/** Finds numbers that name no fault of the plan. */
function missingFaults(plan: FaultPlan | undefined, only: readonly number[] | undefined): string[] {
  const count = countFaults(plan ?? []);
  const wrong = only?.filter((number) => number > count) ?? [];
  return wrong.map((number) => `ginit: --only-faults ${number}: the plan has ${count} faults`);
}

/** Finds faults of a bus where there is none. */
function missingBus(plan: FaultPlan, { carriers, faults = '' }: SimOptions): string[] {
  if (carriers === 'bus' || !needsBus(plan)) return [];
  return [`ginit: ${faults}: bus-trouble and partition need --carriers bus`];
}

function seedOptions(
  options: SimOptions,
  first: PreparedConfig,
  later: readonly PreparedConfig[],
  plan: FaultPlan | undefined,
): SeedOptions {
  const all = [first, ...later];
  const mayExit = all.some(({ config }) => config.starts.some(({ exitPropagate }) => exitPropagate));
  const summary = options.summary || (first.config.summary && !options.many);
  return {
    quota: options.quota,
    carriers: options.carriers,
    shareModules: options.shareModules,
    untilUs: options.untilUs,
    tasksMax: options.tasksMax,
    patienceUs: options.patienceUs,
    log: options.log,
    replay: options.replay,
    summary,
    ...first.plain,
    configs: later.map(({ plain }) => plain),
    plan,
    only: options.onlyFaults,
    mayExit,
  };
}

/**
 * Finds components that cannot be simulated. In the simulator drivers must keep the rule too, and
 * nobody may import anything while it runs, because such imports come in no defined order.
 */
function unfitComponents(file: string, config: InitConfig, imports: ComponentImports): string[] {
  const binaries = new Binaries(dirname(file));
  const attached = startsOf(config).flatMap(({ start }) => {
    if (start.place?.attach === undefined) return [];
    const text = `"${start.name}" cannot be simulated: its code is where it is attached from`;
    return [new ConfigError(text, start.position).message];
  });
  const unfit = componentUses(config).flatMap(({ name, position, allowances }) => {
    const binary = binaries.find(name);
    if ('problem' in binary) return [];
    const forbidden = imports.forbidden(binary.moduleUrl, { allowances, noLateImports: true });
    if (!forbidden) return [];
    const place = `${forbidden.file}:${forbidden.line}:${forbidden.column}`;
    const text = `component "${name}" ${forbidden.what} at ${place}: it cannot be simulated`;
    return [new ConfigError(text, position).message];
  });
  return [...attached, ...unfit];
}

async function runOne(options: SimOptions, prepared: SeedOptions, output: Output): Promise<number> {
  const [seed] = options.seeds;
  const result = await runSeed(seed, systemOf(prepared), prepared, {
    line: (text) => output.passingLine(text),
    say: (text) => output.say(text),
    schedule: (text) => output.plain(text),
  });
  if (options.images !== undefined) writeImages(options.images, result);
  output.say(`sim: ${verdictOf(result)}`);
  // Somebody who reads the schedule of a run, or has chosen its faults, does not need the faults
  // shrunk any more.
  const closely = options.log || options.onlyFaults !== undefined;
  if (!closely && hasFailed(result, options.anyExit)) {
    const { images: _, ...verdict } = result;
    const pool = openPool(options, prepared, output);
    await explain(verdict, pool, options, output);
    await pool.close();
  }
  return result.code;
}

function openPool({ jobs, seeds, many }: SimOptions, prepared: SeedOptions, output: Output): SeedPool {
  const threads = many ? Math.min(jobs, seeds[1] - seeds[0] + 1) : jobs;
  const work = { worker: SEED_WORKER, workerData: prepared, sharesModules: prepared.shareModules };
  return new SeedPool(work, threads, (error) => {
    output.say(`sim: a thread failed after a run of its own: ${error.message}`);
  });
}

async function runMany(options: SimOptions, prepared: SeedOptions, output: Output): Promise<number> {
  const pool = openPool(options, prepared, output);
  const progress = new Progress(options.seeds, output);
  const tally = new Tally();
  const failed = await runSeeds(pool, options.seeds, options.all, (verdict) => {
    const bad = hasFailed(verdict, options.anyExit);
    progress.add(verdict);
    tally.add(verdict, bad);
    return bad;
  });
  progress.end();
  tally.sayFaults(output);
  if (options.all) tally.sayFailures(output);
  if (failed) {
    output.say(`sim: ${verdictOf(failed)}`);
    await explain(failed, pool, options, output);
  }
  await pool.close();
  if (!failed) return 0;
  return failed.code === 0 ? BROKEN_EXIT_CODE : failed.code;
}

/** Says how to watch a failed run, with as few faults as it needs. */
async function explain(
  failed: SeedVerdict,
  pool: SeedPool,
  options: SimOptions,
  output: Output,
): Promise<void> {
  let only = '';
  if (options.shrink && failed.struck.length > 0) {
    const { anyExit, shrinkRunsMax: runsMax } = options;
    const total = failed.struck.length;
    const line = new StatusLine('sim');
    const progress = (left: number, runs: number): void =>
      line.show(() => `${left} of ${total} faults left after ${runs} runs`);
    const shrunk = await shrinkFaults(failed, pool, { anyExit, runsMax, progress });
    line.clear();
    sayShrunk(shrunk, total, output);
    only = ` ${onlyOption(shrunk.verdict.struck)}`;
  }
  output.say(`sim: to see it: the same command with --replay ${failed.seed}${only}`);
}

function writeImages(directory: string, { images }: SeedResult): void {
  mkdirSync(directory, { recursive: true });
  for (const [path, bytes] of images) writeFileSync(join(directory, basename(path)), bytes);
}

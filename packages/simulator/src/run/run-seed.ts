/** One simulated run, from its seed to its verdict. */
import { assert } from '@ginit/core';
import type { Obligation } from '@ginit/core/platform';
import { Supervisor, type SystemEnd } from '@ginit/core/supervisor';
import { Books } from '../checks/books.ts';
import { afterTheEnd, whereTheyDiffer, whoWaits } from '../checks/checks.ts';
import { Liveness } from '../checks/liveness.ts';
import { nameUnmet, UnmetObligations } from '../checks/obligations.ts';
import { whereHeartbeatsAreWrong } from '../checks/heartbeats.ts';
import { whereOverviewsAreWrong } from '../checks/overviews.ts';
import { Phases } from '../checks/phases.ts';
import { whereCoreIsWrong, wrongTotal } from '../checks/truth.ts';
import { Faults } from '../faults/faults.ts';
import { type Outcome, Simulation } from '../world/simulation.ts';
import { Annotations } from './annotations.ts';
import type { RunOptions, SimulatedSystem } from './simulated-system.ts';
import type { SeedVerdict } from './verdict.ts';

/** The receiver of a run's lines. */
export interface SeedOutput {
  /** A line of a component. */
  line(text: string): void;
  /** A line of ginit's own. */
  say(text: string): void;
  /** A line of the schedule. */
  schedule(text: string): void;
}

/** The end of a run, with the disks that it left. */
export interface SeedResult extends SeedVerdict {
  /** The disks as they were at the end. */
  readonly images: ReadonlyMap<string, Uint8Array>;
}

/** The exit code of a run in which a check of the simulator has failed. */
export const BROKEN_EXIT_CODE = 3;
const CRASH_EXIT_CODE = 1;
const REFUSED_EXIT_CODE = 2;
/** The bound of stopping, as in a real run. */
const STOP_BOUND_MS = 5000;
const STOP_LIMIT_US = 240_000_000;
/**
 * The number of times within their patience that unanswered calls are looked for. Other things that
 * must go on are checked more often.
 */
const LOOKS_WITHIN_PATIENCE = 4;
const LOOK_US_MAX = 5_000_000;

interface Verdict {
  readonly code: number;
  readonly problem?: string | undefined;
}

/**
 * Runs the system with one seed. Only one run may be under way in a thread, because it replaces the
 * globals of components.
 */
export function runSeed(
  seed: number,
  system: SimulatedSystem,
  options: RunOptions,
  output: SeedOutput,
): Promise<SeedResult> {
  const run = new SeedRun(seed, system, options, output);
  return run.run();
}

class SeedRun {
  readonly #seed: number;
  readonly #system: SimulatedSystem;
  readonly #options: RunOptions;
  readonly #output: SeedOutput;
  readonly #simulation: Simulation;
  readonly #supervisor: Supervisor;
  readonly #faults: Faults | undefined;
  readonly #annotations: Annotations | undefined;
  readonly #phases: Phases;
  readonly #liveness: Liveness;
  readonly #books: Books;
  readonly #unmet: UnmetObligations;
  #end: SystemEnd | undefined;
  /**
   * Whether one of the run's bounds cut it short: events that were to come did not get the time to
   * happen.
   */
  #cutShort = false;
  #nextLookUs = 0;
  #problem: string | undefined;

  constructor(seed: number, system: SimulatedSystem, options: RunOptions, output: SeedOutput) {
    this.#seed = seed;
    this.#system = system;
    this.#options = options;
    this.#output = output;
    this.#simulation = new Simulation({
      seed,
      carriers: options.carriers,
      sharesModules: system.sharesModules,
      line: (text) => output.line(text),
      note: (text) => output.say(`sim: ${text}`),
      schedule: options.log ? (text) => output.schedule(text) : undefined,
      beforeTask: options.plan ? (tasks) => this.#strike(tasks) : undefined,
      quiet: () => this.#whenQuiet(),
      denyQuota: (component, of, taken) => this.#supervisor.denyNext(component, of, taken),
      violated: (text) => this.#breaks(text),
      unmet: (label, obligations) => this.#endedWithout(label, obligations),
    });
    if (options.replay)
      this.#annotations = new Annotations(this.#simulation, (text) => output.schedule(text));
    if (options.plan) {
      const tell = (text: string): void => {
        if (options.replay) this.#annotations?.now(text);
        else if (options.log) output.schedule(text);
      };
      this.#faults = new Faults(options.plan, options.only, this.#simulation, tell, {
        reconfigure: (index) => this.#reconfigure(index),
        act: (action, label) => void this.#supervisor.act(action, label),
      });
    }
    this.#supervisor = this.#makeSupervisor();
    this.#phases = new Phases(this.#simulation, this.#faults?.left ?? 0);
    this.#liveness = new Liveness(this.#simulation, () => this.#supervisor.census());
    this.#unmet = new UnmetObligations(this.#simulation);
    this.#books = new Books(this.#simulation, () => this.#supervisor.accounts(), {
      whole: system.quota,
      hostility: this.#faults?.hostility ?? false,
    });
  }

  #makeSupervisor(): Supervisor {
    const output = this.#output;
    const { binary, grants, findBinary, config, quota } = this.#system;
    return new Supervisor(this.#simulation.platform, {
      binary,
      grants,
      findBinary,
      config,
      quota,
      observer: {
        crashed: (label, end) => {
          const text = `[${label}] ${end.culprit ? 'crashed' : 'is gone'}: ${end.reason}`;
          output.say(text);
          this.#annotations?.now(text);
        },
        warning: (text) => output.say(`warning: ${text}`),
      },
    });
  }

  #reconfigure(index: number): void {
    const next = this.#system.configs[index];
    assert(next !== undefined, 'the plan names configs of the system');
    this.#supervisor.reconfigure(next);
  }

  async run(): Promise<SeedResult> {
    const { code, problem } = await this.#simulation.within(() => this.#judged());
    const { scheduler, tasks, stateHash, disks } = this.#simulation;
    const images = new Map(Array.from(disks.all, ([path, disk]) => [path, disk.image()]));
    const struck = this.#faults?.struck ?? [];
    const happened = this.#faults?.happened ?? new Map<string, number>();
    const run = { virtualUs: scheduler.nowUs, tasks, hash: stateHash, struck, happened };
    return { seed: this.#seed, code, problem, ...run, images };
  }

  async #judged(): Promise<Verdict> {
    void this.#supervisor.run().then((end) => (this.#end = end));
    const { untilUs } = this.#options;
    const first = await this.#simulation.drive(
      () => this.#end !== undefined || this.#tooBusy() || this.#doesNotGoOn(),
      untilUs,
    );
    const verdict = this.#problem === undefined ? this.#afterFirst(first) : this.#broken(this.#problem);
    this.#annotations?.end();
    this.#cutShort = this.#end === undefined && first.kind !== 'idle';
    if (first.kind === 'refused' || first.kind === 'broken') return verdict;
    if (this.#options.summary) await this.#summary();
    const stop = await this.#stop();
    if (verdict.problem !== undefined) return verdict;
    const left = stop ?? this.#problem ?? (await this.#leftOver());
    return left === undefined ? verdict : this.#broken(left);
  }

  /** Brings about the faults that are due; true if any has happened. */
  #strike(tasks: number): boolean {
    const struck = this.#faults?.strike(tasks) ?? false;
    this.#phases.look(this.#faults?.left ?? 0);
    return struck;
  }

  /**
   * Records the first property that does not hold as the result of the run. Later ones may be
   * consequences of it.
   */
  #breaks(problem: string | undefined): void {
    if (problem === undefined || this.#problem !== undefined) return;
    this.#problem = this.#phases.tell(problem);
    this.#annotations?.now(`does not hold: ${this.#problem}`);
  }

  #broken(problem: string): Verdict {
    this.#breaks(problem);
    return { code: BROKEN_EXIT_CODE, problem: this.#problem };
  }

  #endedWithout(label: string, obligations: readonly Obligation[]): void {
    if (!this.#cutShort) this.#breaks(nameUnmet(label, obligations));
  }

  #afterFirst(outcome: Outcome): Verdict {
    switch (outcome.kind) {
      case 'done':
        return this.#end ? this.#exit() : this.#stillRunning('--tasks');
      case 'idle': {
        if (!this.#system.mayExit) return { code: 0 };
        return this.#broken(
          this.#phases.tell(`nothing can happen any more, and nobody has ended the system; ${this.#waits()}`),
        );
      }
      case 'too late':
        return this.#stillRunning('--until');
      case 'refused':
        return { code: REFUSED_EXIT_CODE, problem: outcome.reason };
      case 'broken':
        return this.#broken(`ginit failed: ${outcome.reason}`);
    }
  }

  /**
   * A run that is still going at its limit has failed if its faults have been over for the whole
   * time of patience and the system should have ended by itself.
   */
  #stillRunning(limit: string): Verdict {
    const { nowUs } = this.#simulation.scheduler;
    const patientUs = nowUs - this.#options.patienceUs;
    const { healedUs } = this.#phases;
    if (this.#system.mayExit && healedUs !== undefined && healedUs <= patientUs) {
      const text = `still running at ${limit}, and nobody has ended the system; ${this.#waits()}`;
      return this.#broken(text);
    }
    const unmet = this.#unmet.before(patientUs);
    if (unmet !== undefined) return this.#broken(`${unmet}; still running at ${limit}`);
    this.#output.say(`sim: still running at ${limit}`);
    return { code: 0 };
  }

  #exit(): Verdict {
    if (this.#end?.kind === 'exit') {
      this.#annotations?.now(`the system is ended with exit code ${this.#end.code}`);
      return { code: this.#end.code };
    }
    this.#output.say('[init] is gone, and with it the system');
    return { code: CRASH_EXIT_CODE };
  }

  #waits(): string {
    return whoWaits(this.#simulation, this.#simulation.calls.before(Number.POSITIVE_INFINITY));
  }

  #tooBusy(): boolean {
    return this.#simulation.tasks >= this.#options.tasksMax;
  }

  /**
   * Checks the properties that must hold and the things that must go on. True if one of them fails.
   */
  #doesNotGoOn(): boolean {
    const { nowUs } = this.#simulation.scheduler;
    this.#breaks(wrongTotal(this.#supervisor.total, this.#system.quota) ?? this.#books.look());
    if (this.#problem !== undefined) return true;
    if (nowUs < this.#nextLookUs) return false;
    const { patienceUs } = this.#options;
    this.#nextLookUs = nowUs + Math.min(patienceUs / LOOKS_WITHIN_PATIENCE, LOOK_US_MAX);
    this.#unmet.look();
    const waiting = this.#simulation.calls.before(nowUs - patienceUs);
    const problem =
      waiting.length > 0
        ? `calls are not answered; ${whoWaits(this.#simulation, waiting)}`
        : this.#liveness.look();
    this.#breaks(problem);
    return problem !== undefined;
  }

  /** Checks both ends of every relation against each other while nothing is on its way. */
  #whenQuiet(): void {
    const { platform } = this.#simulation;
    const problem =
      whereTheyDiffer(platform, this.#supervisor.census()) ??
      whereCoreIsWrong(platform, this.#supervisor.standing(), this.#system.quota) ??
      whereOverviewsAreWrong(platform.live) ??
      whereHeartbeatsAreWrong(platform.live, this.#simulation.scheduler);
    this.#breaks(problem);
  }

  async #summary(): Promise<void> {
    let lines: readonly string[] | undefined;
    void this.#supervisor.summary().then((summary) => (lines = this.#system.summaryLines(summary)));
    await this.#simulation.drive(() => lines !== undefined, Number.POSITIVE_INFINITY);
    for (const line of lines ?? []) this.#output.say(line);
  }

  async #stop(): Promise<string | undefined> {
    let stopped = false;
    void this.#supervisor.stop(STOP_BOUND_MS).then(() => (stopped = true));
    const limitUs = this.#simulation.scheduler.nowUs + STOP_LIMIT_US;
    const outcome = await this.#simulation.drive(() => stopped, limitUs);
    if (outcome.kind === 'done') return undefined;
    if ('reason' in outcome) return outcome.reason;
    return `the system does not stop; ${this.#waits()}`;
  }

  async #leftOver(): Promise<string | undefined> {
    const census = this.#supervisor.census();
    const whole = this.#end?.kind === 'crash' ? undefined : this.#system.quota;
    return afterTheEnd(await this.#supervisor.summary(), census, whole);
  }
}

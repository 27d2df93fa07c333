/**
 * Drives a simulated system task after task. Each task runs by itself, with everything that the
 * promises of its component do, before the next one. An error during a component's turn is that
 * component's crash.
 */
import { type Obligation, recordTitles } from '@ginit/core/platform';
import { BlockCheck } from '../block-check/block-check.ts';
import { CallWatch } from './call-watch.ts';
import { Digest } from '../order/digest.ts';
import { DiskImages } from '../disk/disk-images.ts';
import { describeFrame } from './frame-words.ts';
import { withoutInstance } from './instance-url.ts';
import { Random } from '../order/random.ts';
import { Scheduler, type Task } from '../order/scheduler.ts';
import { simulateGlobals } from './simulated-globals.ts';
import { SimulatedPlatform } from './simulated-platform.ts';

/**
 * The way in which components are joined: as their processes require, where the seed may choose
 * between processes; all in the same way; or each process on a machine of its own.
 */
export type CarrierChoice = 'placement' | 'shared' | 'copying' | 'bus';

/** The options of a simulation, and its observers. */
export interface SimulationOptions {
  readonly seed: number;
  readonly carriers: CarrierChoice;
  /** Whether the instances of a component share its modules, because these have no state. */
  readonly sharesModules?: ((moduleUrl: string) => boolean) | undefined;
  /** A line of a component's. */
  readonly line: (text: string) => void;
  /** A remark for whoever runs the system; each is given once. */
  readonly note: (text: string) => void;
  /** A line of the schedule. Without this function no lines are made. */
  readonly schedule?: ((text: string) => void) | undefined;
  /**
   * Called before each task with the number of tasks that have run. The result says whether it has
   * brought about a fault.
   */
  readonly beforeTask?: ((tasks: number) => boolean) | undefined;
  /** Called when a property does not hold, of a component that asserts it or of a Block session. */
  readonly violated?: ((text: string) => void) | undefined;
  /** A component has been stopped before it had met these obligations. */
  readonly unmet?: ((label: string, obligations: readonly Obligation[]) => void) | undefined;
  /**
   * Refuses a component's next allocation of quota. `taken` is called when it has been refused, or
   * never will be.
   */
  readonly denyQuota?: ((component: number, of: 'ram' | 'caps', taken: () => void) => boolean) | undefined;
  /**
   * Called when nothing is on its way, so that only the passing of time can bring about the next
   * event.
   */
  readonly quiet?: (() => void) | undefined;
}

/** The reasons why driving ends. */
export type Outcome =
  | { readonly kind: 'done' }
  /** Nothing can happen any more. */
  | { readonly kind: 'idle' }
  /** The next event lies beyond the time limit. */
  | { readonly kind: 'too late' }
  /** A component does something that cannot be simulated. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** ginit itself has failed. */
  | { readonly kind: 'broken'; readonly reason: string };

/** Node's own function, because components find another one in its place. */
const nextMacrotask = setImmediate;
/** The names of operations by their keys, for all systems of this thread. */
const titles = new Map<number, string>();
recordTitles(titles);

const seconds = (us: number): string => (us / 1e6).toFixed(6);

function shares(choice: CarrierChoice, oneProcess: boolean, chance: () => boolean): boolean {
  switch (choice) {
    case 'placement':
      return oneProcess || chance();
    case 'bus':
      return oneProcess;
    case 'shared':
    case 'copying':
      return choice === 'shared';
  }
}

/** A whole system in this thread. Only one may run at a time. */
export class Simulation {
  readonly platform: SimulatedPlatform;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly disks = new DiskImages((path) => ({
    powerCut: (torn) => this.#blocks.powerCut(path, torn),
    lies: () => this.#blocks.lies(path),
  }));
  readonly calls = new CallWatch();
  readonly #blocks: BlockCheck;
  readonly #digest = new Digest();
  readonly #options: SimulationOptions;
  readonly #used = new Set<string>();
  #current = 0;
  #tasks = 0;
  #failure: Outcome | undefined;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const random = new Random(options.seed);
    this.random = random;
    this.scheduler = new Scheduler(random.stream('order'));
    const sharing = random.stream('sharing');
    const host = {
      scheduler: this.scheduler,
      random: random.stream('host'),
      disk: (target: string, path: string, access: 'ro' | 'rw') => this.disks.open(target, path, access),
    };
    this.#blocks = new BlockCheck({
      nowUs: () => this.scheduler.nowUs,
      labelOf: (id) => this.platform.labelOf(id),
      filesOf: (id) => this.platform.get(id)?.host.opened ?? new Set(),
      violated: (text) => options.violated?.(text),
      failed: (error) => this.#broken(error),
    });
    this.platform = new SimulatedPlatform({
      blocks: this.#blocks,
      violated: (text) => options.violated?.(text),
      unmet: (label, obligations) => options.unmet?.(label, obligations),
      scheduler: this.scheduler,
      random,
      host,
      digest: this.#digest,
      sharesModules: options.sharesModules ?? (() => false),
      calls: this.calls,
      shareMemory: (oneProcess) => shares(options.carriers, oneProcess, () => sharing.once(2)),
      overBus: options.carriers === 'bus',
      describeFrame: (frame) => (frame ? describeFrame(frame, titles) : 'the carrier is closed'),
      operationName: (key) => this.titleOf(key).replace(/^.*\./, ''),
      print: (text) => this.#print(text),
      wording: withoutInstance,
      refuse: (reason) => this.#fail({ kind: 'refused', reason }),
    });
  }

  /** The number of tasks so far. */
  get tasks(): number {
    return this.#tasks;
  }

  /**
   * A hash of everything that happened, in its order, of the log, and of the disks as they are now.
   */
  get stateHash(): string {
    const end = new Digest();
    end.text(this.#digest.value);
    end.number(this.scheduler.nowUs);
    this.disks.addTo(end);
    return end.value;
  }

  /**
   * Lets the next allocation of quota by a component fail, once. False if no observer can do that.
   */
  denyQuota(component: number, of: 'ram' | 'caps', taken: () => void): boolean {
    return this.#options.denyQuota?.(component, of, taken) ?? false;
  }

  /** The name of an operation. */
  titleOf(key: number): string {
    return titles.get(key) ?? `operation ${key.toString(16)}`;
  }

  /**
   * Runs `body` with simulated globals in place. Errors meanwhile go to the component that has its
   * turn.
   */
  async within<T>(body: () => Promise<T>): Promise<T> {
    const restoreGlobals = this.#replaceGlobals();
    const onError = (error: unknown): void => this.#uncaught(error);
    process.on('uncaughtException', onError);
    process.on('unhandledRejection', onError);
    try {
      return await body();
    } finally {
      process.off('uncaughtException', onError);
      process.off('unhandledRejection', onError);
      restoreGlobals();
    }
  }

  /**
   * Lets tasks run until `done` says so, or nothing may run before `limitUs`. Call it within
   * `within`.
   */
  async drive(done: () => boolean, limitUs: number): Promise<Outcome> {
    await this.#settle();
    while (!done()) {
      if (this.#failure) return this.#failure;
      if (this.#options.beforeTask?.(this.#tasks)) await this.#settle();
      if (!this.scheduler.busy && !this.platform.busy) this.#options.quiet?.();
      const task = this.scheduler.next(limitUs);
      if (task === 'nothing') return { kind: 'idle' };
      if (task === 'too late') return { kind: 'too late' };
      this.#run(task);
      await this.#settle();
      if (this.platform.loading) await this.#load();
      this.#current = 0;
    }
    return this.#failure ?? { kind: 'done' };
  }

  #run(task: Task): void {
    const { schedule } = this.#options;
    this.#tasks++;
    this.#digest.number(task.owner);
    this.#digest.number(this.scheduler.nowUs);
    if (schedule) {
      const { owner, describe } = task;
      const who = this.platform.labelOf(owner);
      schedule(`${seconds(this.scheduler.nowUs)} #${this.#tasks} [${who}] ${describe()}`);
    }
    this.#current = task.owner;
    try {
      task.run();
    } catch (error) {
      this.#uncaught(error);
    }
  }

  /** Waits until the promises of the current turn have nothing left to do. */
  async #settle(): Promise<void> {
    await new Promise<void>((resolve) => void nextMacrotask(resolve));
  }

  /** Waits for a component to be loaded. That takes real time and none of the system's. */
  async #load(): Promise<void> {
    await this.platform.loading;
    this.platform.loading = undefined;
    await this.#settle();
  }

  #uncaught(error: unknown): void {
    const component = this.platform.get(this.#current);
    if (component) return this.platform.crashSoon(component, error);
    // This was the last turn of a component that is dead, so there is no component to crash.
    if (this.#current === 0) this.#broken(error);
  }

  /** Notes a fault of ginit itself, whichever component has its turn. */
  #broken(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#fail({ kind: 'broken', reason: withoutInstance(text) });
  }

  #fail(outcome: Outcome): void {
    this.#failure ??= outcome;
  }

  #print(text: string): void {
    const line = withoutInstance(text);
    this.#digest.text(line);
    this.#options.line(line);
  }

  #replaceGlobals(): () => void {
    const label = (): string => this.platform.labelOf(this.#current);
    return simulateGlobals({
      inside: () => this.#current !== 0,
      loading: () => this.platform.loading !== undefined,
      nowUs: () => this.scheduler.nowUs,
      wallClockMs: () => this.platform.wallClockMs(),
      chance: () => this.platform.get(this.#current)?.random.unit() ?? 0,
      timer: (us, again, run) => this.platform.get(this.#current)?.timer(us, again, run) ?? (() => {}),
      print: (text) => {
        for (const line of text.split('\n')) this.#print(`[${label()}] ${line}`);
      },
      used: (what, place) => {
        const key = `[${label()}] uses ${what}`;
        if (this.#used.has(key)) return;
        this.#used.add(key);
        this.#options.note(`${key} at ${place()}: simulated; env has what a component needs`);
      },
      refused: (what, place) => {
        this.#fail({
          kind: 'refused',
          reason: `[${label()}] uses ${what} at ${place()}: it cannot be simulated`,
        });
      },
    });
  }
}

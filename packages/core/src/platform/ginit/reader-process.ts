/** The process that reads manifests, as the supervisor sees it. No other code starts one. */
import { clearTimeout, setTimeout } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { hasRings } from '../jail/rings.ts';
import type { JailRules } from '../jail/rules.ts';
import { filtersHere, missingOutside } from '../jail/verify.ts';
import { parseControl } from '../wire/domain-protocol.ts';
import { startFiltered } from './child-process/filtered-start.ts';
import { FORM_FLAGS } from '../host/form.ts';
import { Link } from '../wire/link.ts';
import {
  type ManifestText,
  manifestTextOf,
  type ReaderCommand,
  readerEvent,
  type ReaderEvent,
} from '../wire/manifest-protocol.ts';
import { ProcessStartError } from './child-process/process-start.ts';
import { type ProcessObserver, type RunningProcess, startPlainly } from './child-process/running-process.ts';

const MANIFEST_MAIN = fileURLToPath(new URL('../manifest/manifest-main.js', import.meta.url));
/**
 * A process that takes this much longer than it gives a module was stopped by code that runs in it.
 */
const GRACE_MS = 10_000;

/** Answers by module URL; `undefined` for a module that the process did not live to answer. */
export type ReaderAnswers = Map<string, ManifestText | undefined>;

/** How the process is started. */
export interface ReaderOptions {
  /** How many modules are going to be read. */
  readonly count: number;
  /** How long each may take to load. */
  readonly timeoutMs: number;
  /** Whether it may be jailed later: then it is started without rings of io_uring. */
  readonly jailable: boolean;
}

/** One process that reads manifests. */
export class ReaderProcess {
  /** The process, or a promise of the reason why there is none. */
  readonly #process: RunningProcess | Promise<string>;
  readonly #link: Link | undefined;
  readonly #timeoutMs: number;
  /** The number of filters of system calls that it had before it was jailed. */
  readonly #filtersAtBirth: number;
  /** Settles when its process number is known, or it is clear that it has none. */
  readonly #spawned: Promise<void>;
  #hear: (event: ReaderEvent) => void = () => {};
  #over: () => void = () => {};
  #isOver = false;
  /** Why there was never a process, in words for people. */
  #failure: string | undefined;

  constructor({ count, timeoutMs, jailable }: ReaderOptions) {
    this.#timeoutMs = timeoutMs;
    const withoutRings = jailable && hasRings();
    // The thread that starts it without rings has one filter more than this one.
    this.#filtersAtBirth = jailable ? filtersHere() + (withoutRings ? 1 : 0) : 0;
    let spawned = (): void => {};
    this.#spawned = new Promise((resolve) => {
      spawned = resolve;
    });
    const ended = (): void => {
      this.#isOver = true;
      this.#over();
    };
    this.#process = start(withoutRings, [...FORM_FLAGS, MANIFEST_MAIN, `${count}`, `${timeoutMs}`], {
      spawned: () => spawned(),
      failed: (reason) => {
        this.#failure = reason;
      },
      closed: ended,
    });
    if (this.#process instanceof Promise) return;
    // Text that components print while their manifests are read is thrown away.
    for (const output of this.#process.outputs) output.resume();
    this.#link = new Link(this.#process.socket, (_, payload) => this.#receive(payload), ended);
  }

  end(): void {
    if (!(this.#process instanceof Promise)) this.#process.kill();
  }

  /** Reads the manifests, in a jail if there are `rules`. The process ends after the last one. */
  async read(moduleUrls: readonly string[], rules: JailRules | undefined): Promise<ReaderAnswers> {
    const problem = await this.#prepare(rules);
    if (problem === undefined) return this.#readAll(moduleUrls);
    this.end();
    return new Map(moduleUrls.map((url) => [url, { problem }]));
  }

  /** Gets the process ready. The result says why nothing can be read, if that is so. */
  async #prepare(rules: JailRules | undefined): Promise<string | undefined> {
    if (this.#process instanceof Promise) return this.#process;
    if (rules !== undefined) {
      const problem = await this.#confine(this.#process, rules);
      if (problem !== undefined) return `the process that reads its manifest ${problem}`;
    }
    return undefined;
  }

  /** Has the process lock itself up. Its word for that is not believed: the kernel is asked. */
  async #confine(process: RunningProcess, rules: JailRules): Promise<string | undefined> {
    const answer = await new Promise<string | undefined>((resolve) => {
      if (this.#isOver) return resolve('has ended');
      this.#over = () => resolve('has ended');
      this.#hear = (event) => {
        if (event.event === 'confined') resolve(event.problem && `cannot be jailed: ${event.problem}`);
      };
      this.#tell({ command: 'confine', rules });
    });
    if (answer !== undefined) return this.#failure ?? answer;
    await this.#spawned;
    const missing =
      process.pid === undefined ? 'it has no number' : missingOutside(process.pid, this.#filtersAtBirth);
    return missing && `cannot be jailed: ${missing}`;
  }

  #readAll(moduleUrls: readonly string[]): Promise<ReaderAnswers> {
    const answers: ReaderAnswers = new Map(moduleUrls.map((url) => [url, undefined]));
    return new Promise((resolve) => {
      let left = moduleUrls.length;
      const done = (): void => {
        clearTimeout(timer);
        this.#hear = () => {};
        this.end();
        if (this.#failure === undefined) return resolve(answers);
        const problem = this.#failure;
        resolve(new Map(moduleUrls.map((url) => [url, answers.get(url) ?? { problem }])));
      };
      const timer = setTimeout(done, this.#timeoutMs + GRACE_MS);
      if (left === 0 || this.#isOver) return done();
      this.#over = done;
      this.#hear = (event) => {
        if (event.event !== 'answer') return;
        const moduleUrl = moduleUrls[event.id];
        if (moduleUrl === undefined || answers.get(moduleUrl) !== undefined) return;
        answers.set(moduleUrl, manifestTextOf(event) ?? { problem: 'its manifest cannot be read' });
        timer.refresh();
        left--;
        if (left === 0) done();
      };
      for (const [id, moduleUrl] of moduleUrls.entries()) this.#tell({ command: 'read', id, moduleUrl });
    });
  }

  #tell(command: ReaderCommand): void {
    this.#link?.sendControl(command);
  }

  /**
   * Components' code runs in that process and may have got at its messages. A process that sends a
   * malformed one is ended.
   */
  #receive(payload: Uint8Array): void {
    let event: ReaderEvent;
    try {
      event = parseControl(readerEvent, 'event', payload);
    } catch {
      return this.end();
    }
    this.#hear(event);
  }
}

function start(
  withoutRings: boolean,
  args: readonly string[],
  observer: ProcessObserver,
): RunningProcess | Promise<string> {
  try {
    const way = withoutRings ? startFiltered : startPlainly;
    return way({ args, env: {}, descriptors: [], takesSockets: false }, observer);
  } catch (error) {
    if (!(error instanceof ProcessStartError)) throw error;
    return error.reason;
  }
}

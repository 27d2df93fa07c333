/** The process that reads manifests as the supervisor sees it. This is the only place where one is started. */
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
/** A process that takes so much longer than it gives a module has been stopped by what runs in it. */
const GRACE_MS = 10_000;

/** Answers by the modules' URLs; `undefined` for those that the process did not live to answer. */
export type ReaderAnswers = Map<string, ManifestText | undefined>;

/** How a process is started and what for. */
export interface ReaderOptions {
  /** How many modules are going to be read. */
  readonly count: number;
  /** How long each may take to load. */
  readonly timeoutMs: number;
  /** Whether it may come to be jailed: then it is born for that. */
  readonly jailable: boolean;
}

/** One process that reads manifests. */
export class ReaderProcess {
  /** Or why there is none. */
  readonly #process: RunningProcess | Promise<string>;
  readonly #link: Link | undefined;
  readonly #timeoutMs: number;
  /** Filters of system calls that it had before it was jailed. */
  readonly #filtersAtBirth: number;
  /** Settles when its number is known, if it has one. */
  readonly #spawned: Promise<void>;
  #hear: (event: ReaderEvent) => void = () => {};
  #over: () => void = () => {};
  #isOver = false;
  /** Why it was never there. */
  #failure: string | undefined;

  constructor({ count, timeoutMs, jailable }: ReaderOptions) {
    this.#timeoutMs = timeoutMs;
    const withoutRings = jailable && hasRings();
    // Whoever starts it without rings has one more filter than we.
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
    // What components print there is nobody's business.
    for (const output of this.#process.outputs) output.resume();
    this.#link = new Link(this.#process.socket, (_, payload) => this.#receive(payload), ended);
  }

  end(): void {
    if (!(this.#process instanceof Promise)) this.#process.kill();
  }

  /** Reads them, in a jail if there are `rules`; the process ends after the last one. */
  async read(moduleUrls: readonly string[], rules: JailRules | undefined): Promise<ReaderAnswers> {
    const problem = await this.#prepare(rules);
    if (problem === undefined) return this.#readAll(moduleUrls);
    this.end();
    return new Map(moduleUrls.map((url) => [url, { problem }]));
  }

  /** The result says why nothing can be read. */
  async #prepare(rules: JailRules | undefined): Promise<string | undefined> {
    if (this.#process instanceof Promise) return this.#process;
    if (rules !== undefined) {
      const problem = await this.#confine(this.#process, rules);
      if (problem !== undefined) return `the process that reads its manifest ${problem}`;
    }
    return undefined;
  }

  /** That it has locked itself up is looked at, and not believed. */
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

  /** Components' code runs in that process, and may have got at what it says: then it is of no use to anybody. */
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

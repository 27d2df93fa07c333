/**
 * Replacements: children that are started while those whose places they are to take go on
 * (`replace="ready"`). Which ones there are follows from the plan: whatever it does not say any
 * more is ended, so the newest config counts. One that fails leaves everything as it was; it is
 * tried again with the next config, and before that as the `<restart>` of its start node says.
 */
import type { Env } from '@ginit/core';
import type { StartNode } from '../model/index.ts';
import { sameNode } from '../plan/index.ts';
import type { Child } from './child.ts';
import { type ReplacementFailure, ReplacementRetries } from './replacement-retries.ts';

/** The services of the sandbox that replacements need. */
export interface ReplacementsHost {
  readonly env: Pick<Env, 'error'> & { readonly timer: Pick<Env['timer'], 'elapsedUs' | 'after'> };
  current(name: string): Child | undefined;
  /** Makes a child that begins when `before` is gone. */
  make(start: StartNode, before: Child | undefined): Child;
  /** Stops a child in order. */
  stop(child: Child): void;
  /** The replacement of this child offers all of its services. */
  ready(name: string): void;
  /** Has the plan looked at again: a replacement is to be tried again. */
  again(): void;
}

interface Replacement {
  readonly child: Child;
  /** The reason, if somebody has asked for it: the config does not say it. */
  readonly forced: string | undefined;
}

/** The replacements of one sandbox. */
export class Replacements {
  readonly #host: ReplacementsHost;
  readonly #pending = new Map<string, Replacement>();
  /** The names of the children whose replacements have failed since the last config. */
  readonly #failed = new Set<string>();
  readonly #retries: ReplacementRetries;
  #looking = false;

  constructor(host: ReplacementsHost) {
    this.#host = host;
    const again = (name: string): void => {
      this.#failed.delete(name);
      host.again();
    };
    this.#retries = new ReplacementRetries({ env: host.env, again });
  }

  get children(): Child[] {
    return Array.from(this.#pending.values(), ({ child }) => child);
  }

  /** The children that are to be replaced because somebody has asked for it, with the reasons. */
  get forced(): [string, string][] {
    const pending = [...this.#pending].flatMap(([name, { forced }]): [string, string][] =>
      forced === undefined ? [] : [[name, forced]],
    );
    return [...this.#retries.forced, ...pending];
  }

  /**
   * The plan says that a child is to be replaced. The result is the child to be started for that,
   * if there is none yet that fits: with the same start node, and with servers that are not
   * `touched` by the same plan.
   */
  begin(
    start: StartNode,
    options: {
      readonly forced: string | undefined;
      readonly touched: ReadonlySet<string>;
      readonly retry: boolean;
    },
  ): Child | undefined {
    const { name } = start;
    const { forced, touched, retry } = options;
    const pending = this.#pending.get(name)?.child;
    if (pending) {
      const touches = [...pending.servers].some((server) => touched.has(server));
      if (sameNode(pending.start.element, start.element) && !touches) {
        pending.update(start);
        return undefined;
      }
      this.#host.stop(pending);
    } else if (!retry && this.#failed.has(name)) return undefined;
    this.#failed.delete(name);
    this.#retries.cancel(name);
    const child = this.#host.make(start, pending);
    this.#pending.set(name, { child, forced });
    this.#tell(name, 'its replacement is not ready yet');
    return child;
  }

  /** Only these children are still to be replaced. */
  keep(names: ReadonlySet<string>): void {
    for (const [name, { child }] of this.#pending) {
      if (names.has(name)) continue;
      this.#pending.delete(name);
      this.#host.stop(child);
    }
    for (const name of this.#failed) if (!names.has(name)) this.#failed.delete(name);
    this.#retries.keep(names);
  }

  /** Takes the replacement of a child out of the list, to be in its place from now on. */
  take(name: string): Child | undefined {
    const child = this.#pending.get(name)?.child;
    this.#pending.delete(name);
    return child;
  }

  /** Whether this child was a replacement, and is none any more because it has failed. */
  failed(child: Child, failure: ReplacementFailure): boolean {
    const { name } = child;
    const pending = this.#pending.get(name);
    if (pending?.child !== child) return false;
    this.#pending.delete(name);
    this.#failed.add(name);
    const phrase = `its replacement has failed: ${failure.why}`;
    this.#tell(name, phrase);
    void this.#host.env.error(`child "${name}" is not replaced, and goes on: ${failure.why}`);
    void this.#retries.failed(child.start, pending.forced, failure).then((then) => {
      const isLast = this.#failed.has(name) && this.#host.current(name)?.replacing === phrase;
      if (then !== undefined && isLast) this.#tell(name, `${phrase}; ${then}`);
    });
    return true;
  }

  /**
   * Something has changed: replacements may be ready. They take their places in a step of its own.
   */
  look(): void {
    if (this.#looking || this.#pending.size === 0) return;
    this.#looking = true;
    void Promise.resolve().then(() => {
      this.#looking = false;
      const ready = this.children.filter((child) => child.ready);
      for (const { name } of ready) this.#host.ready(name);
    });
  }

  #tell(name: string, phrase: string): void {
    const current = this.#host.current(name);
    if (current) current.replacing = phrase;
  }
}

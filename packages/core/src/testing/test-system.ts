/**
 * The system around a component under test: core, a parent that starts what the test asks for, and
 * the clock.
 */
import { type Component, component } from '../runtime/component.ts';
import { ConfigNode } from '../config/index.ts';
import type { Env } from '../runtime/env.ts';
import type { HostPlatform } from '../runtime/host-access.ts';
import type { Census } from '../runtime/entrypoint.ts';
import { labelWithin, prependLabel } from '../label.ts';
import type { HostGrantFact } from '../session/host-grant.ts';
import type { Resources } from '../session/pd.ts';
import type { SessionRequest } from '../session/parent.ts';
import type { ResolvedBinary } from '../supervisor/binary-service.ts';
import { ROOT_LABEL, Supervisor } from '../supervisor/supervisor.ts';
import { deferred } from '../async/deferred.ts';
import { Child, type Route } from './child.ts';
import { ControlledClock, REAL_CLOCK } from './clocks.ts';
import { type FramesUnderWay, inProcessCarriers } from './in-process-carriers.ts';
import { InProcessPlatform } from './in-process-platform.ts';
import { nextTurn, withinMs } from './real-time.ts';

/** All there is; what a component has is an option of its own. */
const QUOTA: Resources = { ram: 2 ** 44, caps: 2 ** 24 };
/** The means of a peer or a client. */
const COMPANION_QUOTA: Resources = { ram: 2 ** 36, caps: 2 ** 16 };
/** How long the test itself may take to come to rest, and to take its components down. */
export const PATIENCE_MS = 5000;
/** So long components may take to come to rest where nobody has asked for that. */
export const REST_MS = 500;
/** After this number of turns in which nothing arrives, nothing is under way. */
const QUIET_TURNS = 4;
/** No child can have this name. */
const ROOT_BINARY = '\n';

/** The parts of such a system. */
export interface TestSystemOptions {
  readonly clock: 'controlled' | 'real';
  readonly startTimeMs: number;
  readonly timeoutMs: number;
  readonly grants: readonly HostGrantFact[];
  readonly host: HostPlatform | undefined;
  readonly route: (child: Child, request: SessionRequest) => Route;
}

/** Core, with one parent and its children. */
export class TestSystem {
  readonly #options: TestSystemOptions;
  readonly #underWay: FramesUnderWay = { count: 0 };
  readonly #components = new Map<string, Component>();
  readonly #platform: InProcessPlatform;
  readonly #supervisor: Supervisor;
  readonly #clock: ControlledClock | undefined;
  readonly #thrown = new Map<string, unknown>();
  readonly #warnings: string[] = [];
  #env: Env | undefined;

  constructor(options: TestSystemOptions) {
    this.#options = options;
    const { clock, startTimeMs, grants, host } = options;
    this.#clock = clock === 'controlled' ? new ControlledClock(startTimeMs) : undefined;
    this.#platform = new InProcessPlatform({
      components: this.#components,
      carriers: () => inProcessCarriers('shared', this.#underWay),
      supervisorCarriers: () => inProcessCarriers('copying', this.#underWay),
      clock: this.#clock ?? REAL_CLOCK,
      threw: (label, error) => this.#thrown.set(label, error),
      host: host && (() => host),
    });
    this.#supervisor = new Supervisor(this.#platform, {
      binary: binaryOf(ROOT_BINARY),
      findBinary: (name) => (this.#components.has(name) ? binaryOf(name) : undefined),
      grants: grants.map(({ kind, path, access }) => ({ kind, path, access, target: path })),
      config: new Uint8Array(),
      quota: QUOTA,
      observer: { crashed: () => {}, warning: (text) => this.#warnings.push(text) },
    });
  }

  /** Starts the parent. */
  async begin(): Promise<void> {
    const ready = deferred<Env>();
    this.#components.set(
      ROOT_BINARY,
      component((env) => ready.resolve(env)),
    );
    void this.#supervisor.run();
    this.#env = await ready.promise;
  }

  /** A child that has not begun yet. */
  child(options: ConstructorParameters<typeof Child>[1]): Child {
    const { route } = this.#options;
    if (!this.#env) throw new Error('the system has not begun');
    const register = (name: string, made: Component): void => void this.#components.set(name, made);
    return new Child({ env: this.#env, register, route }, options);
  }

  /**
   * Starts a component that stands beside the one under test; `make` gets what takes its
   * environment.
   */
  async companion(
    name: string,
    make: (ready: (env: Env) => void) => Component,
  ): Promise<{ readonly child: Child; readonly env: Env }> {
    const ready = deferred<Env>();
    const child = this.child({
      name,
      component: make(ready.resolve),
      config: ConfigNode.empty('config'),
      quota: COMPANION_QUOTA,
      grants: [],
    });
    await child.start();
    return { child, env: await ready.promise };
  }

  /** Lines of the log of a child. */
  logOf(name: string): string[] {
    const prefix = `[${labelOf(name)}] `;
    return this.#platform.lines
      .filter((line) => line.startsWith(prefix))
      .map((line) => line.slice(prefix.length));
  }

  /** The messages of the runtime that belong to no component's log. */
  get complaints(): readonly string[] {
    return [...this.#platform.complaints, ...this.#warnings];
  }

  /** The error that the main function of a child has thrown. */
  thrownBy(name: string): unknown {
    return this.#thrown.get(labelOf(name));
  }

  /** The numbers of objects that a child and its peers hold of each other, by their names. */
  census(name: string): { readonly owner: string; readonly imports: number }[] {
    const channels: Census['channels'] = this.#platform.census(labelOf(name))?.channels ?? [];
    return channels.flatMap(({ peer, imports }) => {
      const owner = labelWithin(this.#platform.labelOf(peer) ?? '', ROOT_LABEL);
      return owner === undefined ? [] : [{ owner, imports }];
    });
  }

  /** Ends a child as a crash would. */
  async crash(name: string): Promise<void> {
    this.#platform.crash(labelOf(name));
    await this.settle();
  }

  /** Waits until nothing is under way any more. */
  async settle(timeoutMs = PATIENCE_MS): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      await nextTurn();
      quiet = this.#underWay.count === 0 ? quiet + 1 : 0;
      if (performance.now() > endMs)
        throw new Error(`no rest within ${timeoutMs} ms: messages go to and fro`);
    }
  }

  /**
   * Lets `ms` milliseconds pass on the controlled clock; everything that falls due is done, in
   * order.
   */
  async advance(ms: number): Promise<void> {
    const clock = this.#clock;
    if (!clock) throw new Error('the clock is real: it cannot be advanced (clock: "controlled")');
    if (!(ms >= 0)) throw new RangeError(`advance: expected milliseconds from 0, got ${ms}`);
    const untilUs = clock.monotonicUs() + Math.round(ms * 1000);
    const endMs = performance.now() + PATIENCE_MS;
    await this.settle();
    while (clock.monotonicUs() < untilUs || (clock.nextUs ?? Infinity) <= untilUs) {
      clock.passTo(untilUs);
      await this.settle();
      if (performance.now() > endMs) {
        throw new Error(`advance(${ms}): not done within ${PATIENCE_MS} ms of real time: too many timeouts`);
      }
    }
  }

  /** Settles as `promise` does, while time passes from one timeout to the next by itself. */
  async whileTimePasses<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    const { timeoutMs } = this.#options;
    const state = { settled: false };
    const settle = (): void => void (state.settled = true);
    const settling = promise.then(settle, settle);
    const endMs = performance.now() + timeoutMs;
    while (this.#clock && !state.settled && performance.now() < endMs) {
      await Promise.race([settling, this.settle(REST_MS).catch(() => {})]);
      const { nextUs } = this.#clock;
      if (state.settled || nextUs === undefined) break;
      this.#clock.passTo(nextUs);
    }
    return this.within(promise, what);
  }

  /** Settles as `promise` does; rejects if that takes too long. */
  within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    const { timeoutMs } = this.#options;
    return withinMs(promise, timeoutMs, () => new Error(`${what} within ${timeoutMs} ms${this.#hint()}`));
  }

  /** Time that stands still is the first reason for which nothing happens. */
  #hint(): string {
    const nextUs = this.#clock?.nextUs;
    if (!this.#clock || nextUs === undefined) return '';
    const ms = (nextUs - this.#clock.monotonicUs()) / 1000;
    return `; time stands still, and the next timeout is due in ${ms} ms: advance(${ms})`;
  }

  /** Takes down what is left of it; the result is what went wrong with that. */
  async end(): Promise<string[]> {
    const problems: string[] = [];
    const tooLate = (): Error => new Error(`core could not be taken down within ${PATIENCE_MS} ms`);
    await withinMs(this.#supervisor.stop(PATIENCE_MS), PATIENCE_MS, tooLate).catch((error: unknown) =>
      problems.push(String(error)),
    );
    const { root } = this.#supervisor.accounts();
    const { ramQuota, ramUsed, capQuota, capUsed } = root.state;
    if (ramQuota !== QUOTA.ram || capQuota !== QUOTA.caps || ramUsed + capUsed > 0) {
      problems.push(`quota is missing at the end: ${JSON.stringify(root.state)}`);
    }
    return problems;
  }
}

function labelOf(name: string): string {
  return prependLabel(ROOT_LABEL, name);
}

function binaryOf(moduleUrl: string): ResolvedBinary {
  return { moduleUrl, files: [], takes: 'nothing' };
}

/**
 * Steps of init that wait for a child: for its answer to a session request, for the end of a
 * session, for its stop handlers. A child that makes init wait is named after a while. Steps that
 * must come to an end have two limits: a bound, which runs only while the child makes no progress,
 * and a ceiling, which always runs. A child that exceeds either is ended.
 *
 * Nothing is counted, and no child is asked, unless a step takes longer than a tick.
 */
import type { Env } from '@ginit/core';
import type { StepBounds } from '../model/index.ts';

/** The interval at which waiting steps are looked at. */
const TICK_MS = 500;
/** A child that is waited for is named after this time. */
const NAMED_AFTER_MS = 2000;

/** One step: the child that waits, the child that it waits for, and the reason. */
export interface Wait {
  /** The child that waits; init itself if it is the one that is waited for. */
  readonly by: string;
  /** The child that is waited for; `undefined` for the parent's services, which are not named. */
  readonly for: string | undefined;
  readonly service?: string;
  readonly step: 'open' | 'close' | 'stop';
}

/**
 * The progress of a child so far: the number of calls, packets and host requests that it has
 * completed, and the number of levels of children below it.
 */
export interface Progress {
  readonly completed: number;
  readonly levelsBelow: number;
}

/** The services of the sandbox that the waits need. */
export interface WaitsHost {
  readonly env: Pick<Env, 'warning'> & { readonly timer: Pick<Env['timer'], 'after'> };
  boundsOf(child: string): StepBounds;
  progressOf(child: string): Promise<Progress | undefined>;
  /**
   * Tells whether the child could answer by now: it runs, and has announced the service if that is
   * what is waited for.
   */
  about(wait: Wait): WaitState;
  /** Called when the child is to be ended, with the reason. */
  overdue(child: string, reason: string): void;
}

/** The state of a step. A child that is still being started is not to blame. */
export type WaitState = 'starting' | 'not provided' | 'running';

interface Step {
  readonly wait: Wait & { readonly for: string };
  ageMs: number;
  named: boolean;
}

/** A child that somebody waits for. */
interface Blocker {
  completed: number | undefined;
  stalledMs: number;
  /** The time that it has itself waited for others. That time is not counted against it. */
  heldUpMs: number;
  levelsBelow: number;
  asking: boolean;
  over: boolean;
}

/** The steps of one sandbox. */
export class Waits {
  readonly #host: WaitsHost;
  readonly #steps = new Set<Step>();
  readonly #blockers = new Map<string, Blocker>();
  #ticking = false;

  constructor(host: WaitsHost) {
    this.#host = host;
  }

  /** Settles as `promise` does, which is watched meanwhile. */
  async during<T>(wait: Wait, promise: Promise<T>): Promise<T> {
    const server = wait.for;
    if (server === undefined) return promise;
    const step: Step = { wait: { ...wait, for: server }, ageMs: 0, named: false };
    this.#steps.add(step);
    this.#tickSoon();
    try {
      return await promise;
    } finally {
      this.#steps.delete(step);
    }
  }

  /** A text that names what the child waits for at this moment, if it has waited for a while. */
  why(child: string): string | undefined {
    for (const step of this.#steps) {
      if (step.wait.by !== child || step.wait.step === 'stop' || step.ageMs < NAMED_AFTER_MS) continue;
      return this.#text(step);
    }
    return undefined;
  }

  #tickSoon(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    this.#host.env.timer.after(TICK_MS, () => {
      this.#ticking = false;
      this.#tick();
    });
  }

  #tick(): void {
    const blocked = new Set<string>();
    for (const step of this.#steps) {
      step.ageMs += TICK_MS;
      if (step.wait.step !== 'open') blocked.add(step.wait.for);
    }
    for (const step of this.#steps) this.#name(step);
    for (const name of this.#blockers.keys()) if (!blocked.has(name)) this.#blockers.delete(name);
    for (const name of blocked) void this.#look(name);
    if (this.#steps.size > 0) this.#tickSoon();
  }

  #name(step: Step): void {
    if (step.named || step.ageMs < NAMED_AFTER_MS || !this.#toBlame(step)) return;
    step.named = true;
    void this.#host.env.warning(this.#text(step));
  }

  /**
   * Whether the child that is waited for is to be named. A child that is still being started is
   * not. A child that waits for another one itself is not either; that other one is named.
   */
  #toBlame({ wait }: Step): boolean {
    if (wait.step !== 'open') return !this.#heldUp(wait.for);
    if (this.#host.about(wait) === 'starting') return false;
    const seen = new Set([wait.by]);
    let next: string | undefined = wait.for;
    while (next !== undefined && !seen.has(next)) {
      seen.add(next);
      next = this.#waitsFor(next);
      if (next === undefined) return seen.size === 2;
    }
    // In a circle every child is named.
    return next === wait.by;
  }

  #waitsFor(child: string): string | undefined {
    for (const { wait } of this.#steps) if (wait.by === child && wait.step === 'open') return wait.for;
    return undefined;
  }

  /**
   * Whether the child waits for another one to close a session, as a mediator does when its backend
   * does not close. Then the other child is to blame, and has a bound of its own. In a circle of
   * such waits every child is to blame.
   */
  #heldUp(child: string): boolean {
    const seen = new Set<string>();
    const next = [...this.#closersFor(child)];
    for (let name = next.pop(); name !== undefined; name = next.pop()) {
      if (name === child) return false;
      if (seen.has(name)) continue;
      seen.add(name);
      next.push(...this.#closersFor(name));
    }
    return seen.size > 0;
  }

  #closersFor(child: string): string[] {
    const closing = [...this.#steps].filter(({ wait }) => wait.by === child && wait.step === 'close');
    return closing.map(({ wait }) => wait.for);
  }

  #text({ wait }: Step): string {
    const { by, service, step } = wait;
    switch (step) {
      case 'open':
        return this.#host.about(wait) === 'not provided'
          ? `"${by}" waits for "${wait.for}", which has not offered its service "${service}" yet`
          : `"${by}" waits for "${wait.for}" to answer its request for a "${service}" session`;
      case 'close':
        return `"${wait.for}" has yet to close a "${service}" session of "${by}"`;
      case 'stop':
        return `"${wait.for}" has yet to put its things in order before it is stopped`;
    }
  }

  /** Finds out whether the child that is waited for makes progress. */
  async #look(name: string): Promise<void> {
    const blocker = this.#blockers.get(name) ?? newBlocker();
    this.#blockers.set(name, blocker);
    if (this.#heldUp(name)) {
      blocker.heldUpMs += TICK_MS;
      blocker.stalledMs = 0;
      return;
    }
    blocker.stalledMs += TICK_MS;
    if (!blocker.asking) {
      blocker.asking = true;
      const progress = await this.#host.progressOf(name).catch(() => undefined);
      blocker.asking = false;
      if (progress && progress.completed !== blocker.completed) {
        blocker.completed = progress.completed;
        blocker.levelsBelow = progress.levelsBelow;
        blocker.stalledMs = 0;
      }
    }
    this.#judge(name, blocker);
  }

  /**
   * Ends a child that is over one of its limits. Each level of children below it has limits of its
   * own, which must run out first; so every level makes the child's own limits longer.
   */
  #judge(name: string, blocker: Blocker): void {
    if (blocker.over || this.#blockers.get(name) !== blocker) return;
    const { boundMs, ceilingMs } = this.#host.boundsOf(name);
    const levels = 1 + blocker.levelsBelow;
    const steps = [...this.#steps].filter(({ wait }) => wait.for === name && wait.step !== 'open');
    const oldest = steps.toSorted((left, right) => right.ageMs - left.ageMs)[0];
    if (!oldest) return;
    const stalled = Math.min(blocker.stalledMs, oldest.ageMs) >= boundMs * levels;
    if (!stalled && oldest.ageMs - blocker.heldUpMs < ceilingMs * levels) return;
    blocker.over = true;
    const why = stalled ? 'gets nothing done' : 'takes too long';
    this.#host.overdue(name, `${this.#text(oldest)}, and ${why}: it is ended`);
  }
}

function newBlocker(): Blocker {
  return { completed: undefined, stalledMs: 0, heldUpMs: 0, levelsBelow: 0, asking: false, over: false };
}

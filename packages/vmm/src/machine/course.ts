/** The course of a machine: whether its processor runs, and for which reasons it stands still. */
import type { Env } from '@ginit/core';
import type { Engine } from '../engine/engine.ts';
import type { Assembly } from './assembly.ts';

/** Why a processor stands still. */
export type PauseReason = 'wish' | 'disk' | 'serial' | 'reset' | 'state';
/** These come and go by themselves, so nobody is told of them. */
const PASSING: ReadonlySet<PauseReason> = new Set(['serial', 'reset']);
/** Another engine that goes on from a state does so whatever was before, but for that reason. */
const OF_THE_ENGINE = ['wish', 'disk', 'reset', 'serial'] as const;
/**
 * The time that a guest stands still after it has reset itself: one that does so in a loop would
 * take a whole processor.
 */
const RESET_MS = 1000;
/** A guest that resets itself again and again does not fill the log. */
const TOLD_MAX = 8;

/** Runs the processor of one machine, or has it stand still. */
export class Course {
  readonly #env: Pick<Env, 'timer' | 'log'>;
  readonly #changed: () => void;
  readonly #reasons = new Map<PauseReason, string>();
  #assembly: Assembly | undefined;
  #isOver = false;
  #startsAnew = 0;
  #cancelStart: () => void = () => {};

  /** `changed` is called when somebody should be told that the machine runs, or does not. */
  constructor(env: Pick<Env, 'timer' | 'log'>, changed: () => void) {
    this.#env = env;
    this.#changed = changed;
  }

  /** Missing until the machine is there, and while it is given up for another one. */
  get assembly(): Assembly | undefined {
    return this.#assembly;
  }

  get engine(): Engine | undefined {
    return this.#assembly?.engine;
  }

  /** The machine is off, and does not run any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The reasons for which it stands still, for people. */
  get whys(): readonly string[] {
    return [...this.#reasons.values()];
  }

  has(reason: PauseReason): boolean {
    return this.#reasons.has(reason);
  }

  /** Whether somebody has to do something before it goes on. */
  get isPaused(): boolean {
    return this.has('wish') || this.has('disk');
  }

  /** The machine is put together, and runs from now on unless there is a reason not to. */
  begin(assembly: Assembly): void {
    this.#assembly = assembly;
    if (this.#reasons.size === 0) assembly.engine.run();
  }

  /** Somebody has, or no longer has, a reason why the processor should stand still. */
  pause(reason: PauseReason, why: string | undefined): void {
    const before = this.#reasons.size;
    if (why === undefined) this.#reasons.delete(reason);
    else this.#reasons.set(reason, why);
    if (this.#isOver) return;
    if (before === 0 && this.#reasons.size > 0) this.engine?.pause();
    if (before > 0 && this.#reasons.size === 0) this.engine?.run();
    if (!PASSING.has(reason)) this.#changed();
  }

  /** A request of a disk is held until somebody mends what it failed for. True if that is new. */
  held(why: string): boolean {
    const isNew = this.#reasons.get('disk') !== why;
    this.pause('disk', why);
    return isNew;
  }

  /** The machine was reset: it starts anew after a while. */
  wasReset(): void {
    this.#assembly?.reset();
    this.pause('reset', 'it was reset');
    this.#cancelStart();
    this.#cancelStart = this.#env.timer.after(RESET_MS, () => this.startAnew());
  }

  /** Starts the same kernel once more. */
  startAnew(): void {
    this.#cancelStart();
    if (this.#isOver) return;
    this.#assembly?.boot();
    this.pause('reset', undefined);
    const times = ++this.#startsAnew;
    // Of the later ones, the log has every one that is twice as many as the one before.
    if (times > TOLD_MAX && !Number.isInteger(Math.log2(times))) return;
    void this.#env.log(`the guest starts anew${times > 1 ? ` (${times} times so far)` : ''}`);
  }

  /**
   * Gives the machine up. There is no way back; what the guest has asked of its disks is given up,
   * too.
   */
  async giveUp(): Promise<void> {
    const before = this.#assembly;
    this.#assembly = undefined;
    before?.reset();
    this.#cancelStart();
    await before?.engine.close();
  }

  /** Another one goes on in its place, which stands still for the same reason as this call. */
  goOn(assembly: Assembly): void {
    this.#assembly = assembly;
    for (const reason of OF_THE_ENGINE) this.#reasons.delete(reason);
  }

  /** From now on it does not run any more. */
  end(): void {
    this.#isOver = true;
  }
}

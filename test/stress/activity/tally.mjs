/**
 * The attempts of one component and their results. Every call goes through here: it is counted when
 * it is made and when it settles, an error that nobody may meet is a failure, and so is a call that
 * does not settle within the bound.
 */
import { RpcError } from '@ginit/core';
import { patienceOf } from './patience.mjs';

/**
 * A call is late when the component's own clock has ticked so often since: a component that gets no
 * CPU does not tick.
 */
const TICK_MS = 1000;

/** How any call may end in a system where everybody may die or let go at any time. */
const ALWAYS_TOLERATED = ['PeerGone', 'Revoked', 'DENIED'];

/** The counts of a component besides its calls. */
const COUNTERS = [
  'steps',
  'sessions',
  'traps',
  'capabilitiesPassed',
  'signals',
  'dataspaces',
  'packets',
  'kills',
];

/** The tally of one incarnation of a component. */
export class Tally {
  made = 0;
  settled = 0;
  failures = 0;
  #env;
  #who;
  #seed;
  #counts = Object.fromEntries(COUNTERS.map((name) => [name, 0]));
  #open = new Map();
  #tick = 0;
  #nextCall = 1;
  #lateTicks;

  constructor(env, who, seed) {
    this.#lateTicks = (patienceOf(env.config).lateS * 1000) / TICK_MS;
    this.#env = env;
    this.#who = who;
    this.#seed = seed;
  }

  /** Counts something. */
  count(name, more = 1) {
    if (!(name in this.#counts)) throw new Error(`there is no counter "${name}"`);
    this.#counts[name] += more;
  }

  get open() {
    return this.#open.size;
  }

  /** From now on looks for late calls, and reports regularly. */
  watch() {
    this.#env.timer.every(TICK_MS, () => {
      this.#tick++;
      for (const call of this.#open.values()) {
        if (call.late || this.#tick - call.tick < this.#lateTicks) continue;
        call.late = true;
        this.fail(
          call.operation,
          call.peer,
          `has not settled within ${(this.#lateTicks * TICK_MS) / 1000} s`,
        );
      }
      this.report();
    });
  }

  /** Writes what has been counted so far. */
  report() {
    const { made, settled } = this;
    return this.#env.log(`stress ${JSON.stringify({ who: this.#who, made, settled, ...this.#counts })}`);
  }

  /** Something happened that must not. */
  fail(operation, peer, what) {
    this.failures++;
    const failure = { who: this.#who, operation, peer, what, seed: this.#seed };
    void this.#env.log(`stress-failure ${JSON.stringify(failure)}`);
  }

  /**
   * Makes a call. The result is `{ ok, value, code }`: what it settled with, or the code that it
   * was refused with. Anything but a tolerated code is a failure.
   */
  async attempt(operation, peer, start, tolerated = []) {
    const id = this.#nextCall++;
    this.#open.set(id, { operation, peer, tick: this.#tick, late: false });
    this.made++;
    try {
      return { ok: true, value: await start() };
    } catch (error) {
      const code = error instanceof RpcError ? error.code : undefined;
      if (code === undefined || !(ALWAYS_TOLERATED.includes(code) || tolerated.includes(code))) {
        this.fail(operation, peer, `ended with ${code ?? 'no code'}: ${error?.stack ?? error}`);
      }
      return { ok: false, code };
    } finally {
      this.#open.delete(id);
      this.settled++;
    }
  }
}

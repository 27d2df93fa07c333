/**
 * Reads what a run writes: what its components have counted, what they say went wrong, and what
 * else should not be there.
 */

/** Lines that only a fault of the runtime, or of this test, writes. */
const SUSPICIOUS = [
  /broke the (channel )?protocol/,
  /assertion failed/,
  /keeps .* of a session/,
  /crashed too often/,
  /cannot be started/,
  /was garbage-collected|was never released/,
  /^ginit: warning: /,
  // Errors that a component reports itself. Peers are asked to fail in an undeclared way.
  /^\[[^\]]*\] Error: (?! {4,}at |Error: as asked for)/,
];
/** A component that is ended during its start may still say that its parent answers no more. */
const UNBORN = /^(ginit: )?\[init -> k\d+ -> .*(the object was revoked|the client has ended)/;
/** Lines about hostile components, and by them, are expected. */
const HOSTILE = /^(ginit: )?\[init -> x\d+\]|"x\d+"/;
/** A component that has not reported for so long is not counted as alive. */
const ALIVE_MS = 3000;
/** Ends of components that are planned. */
const PLANNED_CRASH = /dies as planned|process\.exit\(3\)|ended by SIGKILL/;
const COUNTED = /^\[[^\]]*\] stress (\{.*\})$/;
const FAILED = /^\[[^\]]*\] stress-failure (\{.*\})$/;
const PHASE = /^\[[^\]]*\] stress-phase (\w+)$/;

/** Collects what the output of a run tells. */
export class RunOutput {
  failures = [];
  /** The latest counts of each incarnation. */
  #counts = new Map();
  #seenMs = new Map();
  #onPhase;
  #recent = [];

  /** `onPhase` is called with the name of each phase that begins. */
  constructor(onPhase) {
    this.#onPhase = onPhase;
  }

  /** Takes one line of standard output or error. */
  line(text) {
    const counted = COUNTED.exec(text);
    if (counted) {
      const { who, ...counts } = JSON.parse(counted[1]);
      this.#counts.set(who, counts);
      this.#seenMs.set(who, performance.now());
      return;
    }
    this.#recent.push(text);
    if (this.#recent.length > 40) this.#recent.shift();
    const failed = FAILED.exec(text);
    if (failed) this.fail(JSON.parse(failed[1]));
    const phase = PHASE.exec(text);
    if (phase) this.#onPhase(phase[1]);
    if (UNBORN.test(text) || (HOSTILE.test(text) && !/assertion failed/.test(text))) return;
    const crash = /^ginit: \[[^\]]*\] crashed: /.test(text) && !PLANNED_CRASH.test(text);
    if (crash || SUSPICIOUS.some((pattern) => pattern.test(text))) this.fail({ line: text });
  }

  fail(failure) {
    this.failures.push(failure);
  }

  /** The last lines that were no counts. */
  get recent() {
    return this.#recent;
  }

  /** How many components have reported lately. */
  get alive() {
    const sinceMs = performance.now() - ALIVE_MS;
    return [...this.#seenMs.values()].filter((ms) => ms > sinceMs).length;
  }

  /** Counts of everybody, added up. */
  get totals() {
    const totals = {};
    for (const counts of this.#counts.values()) {
      for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
    }
    return totals;
  }
}

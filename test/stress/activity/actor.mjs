/**
 * One component that acts: takes one step of its plan after the other, several side by side. It
 * keeps a session to each peer it has met, and what peers have handed to it.
 */
import { stepAt } from '../plan/steps.mjs';
import { Peer, Thing } from '../sessions.mjs';
import { call, concurrent, walk } from './calls.mjs';
import { pass, release, revoke, signal, use } from './capabilities.mjs';
import { memory } from './memory.mjs';
import { abandon, packets } from './packets.mjs';
import { patienceOf } from './patience.mjs';
import { close, trap, upgrade } from './sessions.mjs';

const ACTIONS = {
  abandon,
  call,
  close,
  concurrent,
  memory,
  packets,
  pass,
  release,
  revoke,
  signal,
  trap,
  upgrade,
  use,
  walk,
};

const LANES = 3;
const HELD_MAXIMUM = 32;
const REST_POLL_MS = 20;

/** Acts by the plan of `seed` and `who`. */
export class Actor {
  env;
  tally;
  #seed;
  #who;
  #peers;
  #traps;
  #sessions = new Map();
  #held = [];
  #own;
  #step = 0;
  #lanes = [];
  #resting = false;

  constructor(env, tally, { seed, who, peers, traps = [] }) {
    this.env = env;
    this.tally = tally;
    this.#seed = seed;
    this.#who = who;
    this.#peers = peers;
    this.#traps = traps;
  }

  get resting() {
    return this.#resting;
  }

  /** Names of those it can open sessions to. */
  get peers() {
    return this.#peers;
  }

  /** Acts; settles when it has taken `steps` steps or is told to rest. */
  async act(steps = Number.POSITIVE_INFINITY) {
    this.#lanes = Array.from({ length: LANES }, () => this.#lane(steps));
    await Promise.all(this.#lanes);
  }

  /** Starts nothing new; settles when all is done that it began, by itself or for others. */
  async rest() {
    this.#resting = true;
    await Promise.all(this.#lanes);
    while (this.tally.open > 0) await this.env.timer.sleep(REST_POLL_MS);
    await Promise.all([...this.#sessions.keys()].map((name) => this.close(name)));
  }

  /** Lets go of everything that it holds of others and they of it. */
  clear() {
    for (const thing of this.#held.splice(0)) thing[Symbol.dispose]();
    this.revoke();
  }

  /** Calls a peer on the session that we have to it. */
  async call(name, operation, perform, tolerated) {
    const session = await this.#session(name);
    if (!session) return { ok: false, code: 'DENIED' };
    const result = await this.tally.attempt(operation, name, () => perform(session), tolerated);
    if (result.code === 'PeerGone') await this.close(name);
    return result;
  }

  /** Opens a session; the result is that of the attempt. */
  connect(interface_, options) {
    const { openTimeoutMs: timeoutMs } = patienceOf(this.env.config);
    const tolerated = timeoutMs === undefined ? [] : ['TimedOut'];
    const open = () => this.env.connect(interface_, { ...options, timeoutMs });
    return this.tally.attempt(`open ${interface_.service}`, options.label, open, tolerated);
  }

  /** Closes the session to a peer, if there is one. */
  async close(name) {
    const opening = this.#sessions.get(name);
    this.#sessions.delete(name);
    const session = await opening;
    if (session) await this.tally.attempt('close Peer', name, () => this.env.close(session));
  }

  /** A capability of an object of our own. */
  own() {
    this.#own ??= { poke: (number) => (number + 1) >>> 0 };
    return this.env.capability(Thing, this.#own);
  }

  revoke() {
    if (this.#own) this.env.revoke(this.#own);
    this.#own = undefined;
  }

  /** Keeps what somebody has handed over; the oldest goes when it gets too much. */
  hold(thing) {
    this.#held.push(thing);
    if (this.#held.length > HELD_MAXIMUM) this.#held.shift()[Symbol.dispose]();
  }

  /** The newest thing that it holds, from now on the caller's; `undefined` if there is none. */
  takeHeld() {
    return this.#held.pop();
  }

  async #lane(steps) {
    while (!this.#resting && this.#step < steps) {
      const step = stepAt(this.#seed, this.#who, this.#step++, this.#peers, this.#traps);
      this.tally.count('steps');
      await ACTIONS[step.action](this, step);
    }
  }

  #session(name) {
    const known = this.#sessions.get(name);
    if (known) return known;
    const opening = this.#open(name);
    this.#sessions.set(name, opening);
    return opening;
  }

  async #open(name) {
    const { ok, value } = await this.connect(Peer, { label: name });
    if (ok) this.tally.count('sessions');
    else this.#sessions.delete(name);
    return value;
  }
}

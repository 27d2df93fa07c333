/**
 * The loop of a component's thread: takes work from its sources, lets the promises that this
 * settles run, and when there is nothing left sleeps at its doorbell.
 *
 * A turn is a macrotask of its own (setImmediate), and sleeping is the first thing it does when it
 * finds no work: in the middle of one, promises would starve. Nothing of Node goes on while a
 * thread is parked in Atomics.wait: timers, files, `import()`. A component that needs any of that
 * says `loop: 'live'`, keeps its event loop and sleeps by waitAsync. One that does not say so but
 * has something under way that Node tells of (a timer, a file, output that is not out yet) is found
 * out after a moment in the park, and sleeps like the others until it is done; what Node does not
 * tell of (the compilation of a wasm module) gets a turn of the event loop each time the thread
 * looks around, after a second or more.
 */
import { CPUS, type Doorbell, wakeScheduled } from '../wire/doorbell.ts';
import { monotonicMs } from '../host/monotonic.ts';
import type { PeersAbroad } from './peers-abroad.ts';
import type { WorkSource } from './ring/work-source.ts';

/**
 * The first stay in the park is short, but longer than a tick of the kernel's clock: a timer that
 * is due earlier must be programmed into the hardware each time, which doubles the cost of parking.
 */
const FIRST_PARK_MS = 10;
/**
 * A sleeper that nobody wakes looks around after this time, and each further time after twice as
 * long. This bounds what a broken doorbell can do, and costs a system of hundreds of sleepers next
 * to nothing.
 */
const LOOK_AROUND_MS = 1000;
const LOOK_AROUND_MS_MAX = 8000;
/**
 * How long to look out for work before sleeping, in case a peer is working for this thread. That is
 * as long as waking two sleeping threads takes, one after the other, in a virtual machine: so a
 * chain of threads that pass one request on gets from sleeping each time to not sleeping at all.
 */
const SPIN_MS = 0.2;
/**
 * After looking out in vain, the next sleeps begin without it: more of them each time, up to this
 * number.
 */
const SPINS_SKIPPED_MAX = 64;
/** So long there may be one awake thread more than there are CPUs. */
const SPIN_GRACE_MS = 0.02;
/** How often the doorbell is looked at between two looks at the clock. */
const SPIN_LOOKS = 64;
/**
 * Resources that Node names and that do not keep a thread from parking: ports ring the doorbell.
 */
const HARMLESS: ReadonlySet<string> = new Set(['MessagePort', 'CloseReq']);

/** Whether something is under way in Node that only its event loop can complete. */
function asynchronousWork(): boolean {
  if (process.stdout.writableLength + process.stderr.writableLength > 0) return true;
  return process.getActiveResourcesInfo().some((name) => !HARMLESS.has(name));
}

/** The loop of one thread. */
export class ThreadLoop {
  readonly #doorbell: Doorbell;
  readonly #live: boolean;
  readonly #rest: () => void;
  readonly #sources = new Map<number, readonly WorkSource[]>();
  readonly #visit = (slot: number): void => this.#drainSlot(slot);
  readonly #turn = (): void => this.#runTurn();
  readonly #woken = (): void => this.#wakeUp();
  /** How many turns, or stays in the park, have found no work so far. */
  #idle = 0;
  #lookAroundMs = LOOK_AROUND_MS;
  #spinsToSkip = 0;
  #spinsSkipped = 0;
  /** When a live loop has begun to look out. */
  #spinBeginMs = 0;
  #watchful = false;
  #abroad: PeersAbroad | undefined;

  /**
   * With `live` the event loop is never stopped. `rest` is called when there is nothing to do for a
   * moment.
   */
  constructor(doorbell: Doorbell, live: boolean, rest: () => void = () => {}) {
    this.#rest = rest;
    this.#doorbell = doorbell;
    this.#live = live;
  }

  /** Takes a source into use. Work that has come to it before is found at once. */
  add(slot: number, source: WorkSource): void {
    this.#sources.set(slot, [...(this.#sources.get(slot) ?? []), source]);
    this.wake(slot);
  }

  remove(slot: number, source: WorkSource): void {
    const others = this.#sources.get(slot)?.filter((other) => other !== source) ?? [];
    if (others.length > 0) this.#sources.set(slot, others);
    else this.#sources.delete(slot);
  }

  /** Asks for a source of this thread to be drained soon. */
  wake(slot: number): void {
    this.#doorbell.bell.ringSoon(slot);
  }

  /** From now on there may be peers in other processes. */
  openAbroad(peers: PeersAbroad): void {
    this.#abroad = peers;
    this.#doorbell.openAbroad(peers.asyncSleep);
    this.#doorbell.countAbroad(peers.censuses);
  }

  start(): void {
    if (this.#live) this.#watch();
    this.#again();
  }

  /**
   * Sleeps until `done` returns true, in the middle of whatever runs, and takes work meanwhile: for
   * synchronous calls. False if `timeoutMs` has passed.
   */
  sleepUntil(done: () => boolean, timeoutMs: number): boolean {
    const end = monotonicMs() + timeoutMs;
    for (;;) {
      if (done()) return true;
      wakeScheduled();
      if (this.#doorbell.take(this.#visit) || this.#spin()) continue;
      const leftMs = end - monotonicMs();
      if (leftMs <= 0) return false;
      if (!this.#doorbell.park(Math.min(leftMs, LOOK_AROUND_MS))) this.#lookAround();
    }
  }

  #again(): void {
    setImmediate(this.#turn);
  }

  #runTurn(): void {
    if (this.#doorbell.take(this.#visit)) {
      if (this.#idle > 1) this.#spinsToSkip = 0;
      this.#idle = 0;
      return this.#again();
    }
    this.#idle++;
    return this.#live ? this.#waitOrSpin() : this.#park();
  }

  #drainSlot(slot: number): void {
    for (const source of this.#sources.get(slot) ?? []) source.drain();
  }

  #lookAround(): void {
    for (const sources of this.#sources.values()) for (const source of sources) source.drain();
  }

  /**
   * Whether to go on looking out for work, which began at `sinceMs`: some other thread is awake,
   * and there is a CPU for each that is. There may be one too many for a moment: it has been woken
   * by this thread, and others that look out are about to stop.
   */
  #maySpin(sinceMs: number, nowMs: number): boolean {
    const awake = this.#doorbell.awakeThreads;
    if (awake < 2 || CPUS < 2) return false;
    return awake <= CPUS || (awake === CPUS + 1 && nowMs - sinceMs < SPIN_GRACE_MS);
  }

  #park(): void {
    if (this.#idle === 1) {
      this.#lookAroundMs = LOOK_AROUND_MS;
      if (this.#spin()) return this.#runTurn();
    } else {
      this.#rest();
      if (this.#abroad?.loading || asynchronousWork()) return this.#wait();
    }
    if (this.#doorbell.park(this.#idle === 1 ? FIRST_PARK_MS : this.#lookAroundMs)) {
      this.#doorbell.take(this.#visit);
      this.#idle = 0;
    } else if (this.#idle > 1) {
      this.#lookAround();
      this.#lookAroundMs = Math.min(LOOK_AROUND_MS_MAX, this.#lookAroundMs * 2);
    }
    return this.#again();
  }

  /** Looks at the doorbell for a while. If that is in vain, it is done less often. */
  #spin(): boolean {
    if (this.#spinsSkipped++ < this.#spinsToSkip) return false;
    this.#spinsSkipped = 0;
    const begin = monotonicMs();
    let now = begin;
    while (now - begin < SPIN_MS && this.#maySpin(begin, now)) {
      for (let look = 0; look < SPIN_LOOKS; look++) {
        if (!this.#doorbell.rung) continue;
        this.#spinsToSkip = 0;
        return true;
      }
      now = monotonicMs();
    }
    // A thread that was kept from looking out has not done it in vain.
    if (now - begin >= SPIN_MS) this.#spunInVain();
    return false;
  }

  #spunInVain(): void {
    this.#spinsToSkip = Math.min(SPINS_SKIPPED_MAX, this.#spinsToSkip * 2 + 1);
  }

  /** Does the same in turns of the loop, so that its other events go on. */
  #waitOrSpin(): void {
    const now = monotonicMs();
    if (this.#idle === 1) {
      if (this.#spinsSkipped++ < this.#spinsToSkip) return this.#wait();
      this.#spinsSkipped = 0;
      this.#spinBeginMs = now;
    }
    const isOver = now - this.#spinBeginMs >= SPIN_MS;
    if (!isOver && this.#maySpin(this.#spinBeginMs, now)) return this.#again();
    if (isOver) this.#spunInVain();
    this.#wait();
  }

  /** Sleeps while the event loop goes on. */
  #wait(): void {
    this.#watch();
    const rung = this.#doorbell.wait();
    if (rung) void rung.then(this.#woken);
    else this.#again();
  }

  #wakeUp(): void {
    // Some sleeps end by themselves, and then nobody else has said that this thread is awake.
    this.#doorbell.wakeUp();
    this.#doorbell.take(this.#visit);
    this.#idle = 0;
    this.#again();
  }

  /** Starts a timer that looks around while the event loop goes on. */
  #watch(): void {
    if (this.#watchful) return;
    this.#watchful = true;
    const look = (): void => {
      this.#lookAround();
      this.#doorbell.nudge();
    };
    setInterval(look, LOOK_AROUND_MS).unref();
  }
}

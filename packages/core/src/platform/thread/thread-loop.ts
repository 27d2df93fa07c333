/**
 * The loop of a component's thread: takes work from its sources, lets the promises that this settles run, and when
 * there is nothing left sleeps at its doorbell.
 *
 * A turn is a macrotask of its own (setImmediate), and sleeping is the first thing it does when it finds no work: in the
 * middle of one, promises would starve. Nothing of Node goes on while a thread is parked in Atomics.wait: timers, files,
 * `import()`. A component that needs any of that says `loop: 'live'`, keeps its event loop and sleeps by waitAsync. One
 * that does not say so but has something under way that Node tells of (a timer, a file, output that is not out yet) is
 * found out after a moment in the park, and sleeps like the others until it is done; what Node does not tell of (the
 * compilation of a wasm module) gets a turn of the event loop each time the thread looks around, once a second.
 */
import { availableParallelism } from 'node:os';
import { type Doorbell, SLOTS } from './doorbell.ts';
import type { WorkSource } from './work-source.ts';

/**
 * First, short time in the park. Longer than a tick of the kernel's clock: a timer that is due earlier must be programmed
 * into the hardware each time, which doubles the cost of parking.
 */
const FIRST_PARK_MS = 10;
/** A sleeper that nobody wakes looks around after this time: a bound on what a broken doorbell can do. */
const LOOK_AROUND_MS = 1000;
/** Time to look out for work before parking, while the peer may be working for us on another CPU. */
const SPIN_MS_MAX = 0.05;
const SPIN_MS_MIN = 0.002;
/** Looks at the doorbell between two looks at the clock. */
const SPIN_LOOKS = 64;
/** The same for a live loop, in turns of the loop: its other events go on. */
const SPIN_TURNS_MAX = 40;

/** What Node names that does not keep a thread from parking: ports, which ring. */
const HARMLESS: ReadonlySet<string> = new Set(['MessagePort', 'CloseReq']);

/** Whether something of Node's is under way that only its event loop brings to an end. */
function asynchronousWork(): boolean {
  if (process.stdout.writableLength + process.stderr.writableLength > 0) return true;
  return process.getActiveResourcesInfo().some((name) => !HARMLESS.has(name));
}

/** The loop of one thread. */
export class ThreadLoop {
  readonly #doorbell: Doorbell;
  readonly #live: boolean;
  readonly #cpus = availableParallelism();
  readonly #sources: (WorkSource | undefined)[][] = [];
  readonly #visit = (slot: number): void => this.#drainSlot(slot);
  readonly #turn = (): void => this.#runTurn();
  readonly #woken = (): void => this.#wakeUp();
  /** Turns, or parkings, without work so far. */
  #idle = 0;
  #spinMs = SPIN_MS_MAX;
  #watchful = false;

  /** `live`: the event loop is never stopped. */
  constructor(doorbell: Doorbell, live: boolean) {
    this.#doorbell = doorbell;
    this.#live = live;
  }

  /** Takes a source into use. What has come before is found at once. */
  add(slot: number, source: WorkSource): void {
    (this.#sources[slot % SLOTS] ??= []).push(source);
    this.wake(slot);
  }

  remove(slot: number, source: WorkSource): void {
    const sources = this.#sources[slot % SLOTS];
    const index = sources?.indexOf(source) ?? -1;
    // Not cut out: the slot may be in the middle of being visited.
    if (sources && index >= 0) this.#sources[slot % SLOTS] = sources.toSpliced(index, 1);
  }

  /** Asks for a source of this thread to be drained soon. */
  wake(slot: number): void {
    this.#doorbell.bell.ringSoon(slot % SLOTS);
  }

  start(): void {
    if (this.#live) this.#watch();
    this.#again();
  }

  #again(): void {
    setImmediate(this.#turn);
  }

  #runTurn(): void {
    if (this.#doorbell.take(this.#visit)) {
      this.#idle = 0;
      return this.#again();
    }
    this.#idle++;
    return this.#live ? this.#waitOrSpin() : this.#park();
  }

  #drainSlot(slot: number): void {
    for (const source of this.#sources[slot] ?? []) source?.drain();
  }

  #lookAround(): void {
    for (const sources of this.#sources) for (const source of sources ?? []) source?.drain();
  }

  /** Others work for us, perhaps, and each of us has a CPU. */
  #maySpin(): boolean {
    const awake = this.#doorbell.awakeThreads;
    return awake >= 2 && awake <= this.#cpus;
  }

  #park(): void {
    if (this.#idle === 1 && this.#maySpin() && this.#spin()) return this.#runTurn();
    if (this.#idle > 1 && asynchronousWork()) return this.#wait();
    if (this.#doorbell.park(this.#idle === 1 ? FIRST_PARK_MS : LOOK_AROUND_MS)) {
      this.#doorbell.take(this.#visit);
      this.#idle = 0;
    } else if (this.#idle > 1) this.#lookAround();
    return this.#again();
  }

  /** Looks at the doorbell for a while, for less long if that was in vain. */
  #spin(): boolean {
    const end = performance.now() + this.#spinMs;
    do {
      for (let look = 0; look < SPIN_LOOKS; look++) {
        if (!this.#doorbell.rung) continue;
        this.#spinMs = Math.min(SPIN_MS_MAX, this.#spinMs * 2);
        return true;
      }
    } while (performance.now() < end && this.#maySpin());
    this.#spinMs = Math.max(SPIN_MS_MIN, this.#spinMs / 2);
    return false;
  }

  #waitOrSpin(): void {
    if (this.#idle <= SPIN_TURNS_MAX && this.#maySpin()) this.#again();
    else this.#wait();
  }

  /** Sleeps with a live event loop. */
  #wait(): void {
    this.#watch();
    const rung = this.#doorbell.wait();
    if (rung) void rung.then(this.#woken);
    else this.#again();
  }

  #wakeUp(): void {
    this.#doorbell.take(this.#visit);
    this.#idle = 0;
    this.#again();
  }

  /** While the loop is live, a timer looks around. */
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

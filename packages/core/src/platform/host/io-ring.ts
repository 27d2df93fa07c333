/**
 * Reads and writes of files through io_uring: requests of one turn of the event loop go to the
 * kernel in one call, and what the kernel has in memory is there when that call returns; no thread
 * of libuv's pool takes part. Large requests go in several calls, so that who waits for the first
 * of them can use it while the kernel copies the next. (Source: io_uring(7).)
 *
 * A ring is two queues in memory that is shared with the kernel. This side writes entries and moves
 * the tail of the first; `io_uring_enter` takes them. The kernel writes completions and moves the
 * tail of the second; this side moves its head. While something is under way that was not complete
 * at once, one read of an eventfd waits in libuv's pool: the kernel rings it at the next
 * completion. The bell is switched off (a flag in the ring) while nobody waits.
 *
 * What goes through a ring is seen by no filter of system calls. So a process that is to be jailed
 * is born without the right to make one (`platform/jail`); `IoRing.open` then says why there is
 * none, and files are read in libuv's pool.
 *
 * Only memory of a `SharedArrayBuffer` may be used: it can neither move nor be detached. It is kept
 * from being collected until the kernel is done with it.
 */
import { read, writeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { assert } from '../../errors.ts';
import { addressOf } from './memory-address.ts';
import { RingCalls, type RingMemory } from './ring-calls.ts';

/** Requests that the kernel works on at a time; further ones wait. */
const UNDER_WAY_MAX = 256;
/** Entries that together move more bytes than this go to the kernel in several calls. */
const BATCH_BYTES = 256 * 1024;
const ENTRY_WORDS = 16;
const COMPLETION_WORDS = 4;
const BELL_OFF = 1;
const HIGH = 2 ** 32;
/** The number that an eventfd is given to ring once. */
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

/** The operations, by the kernel's numbers. */
export const RING_OPERATION = { read: 22, write: 23 } as const;

/** One operation on a file. */
export interface RingRequest {
  readonly operation: (typeof RING_OPERATION)[keyof typeof RING_OPERATION];
  readonly descriptor: number;
  readonly position: number;
  /** Memory to read into or to write from, of a `SharedArrayBuffer`. */
  readonly memory: Uint8Array;
  /** Called with the number of bytes, or the kernel's error as a negative number. */
  readonly done: (result: number) => void;
}

/** The ring of one thread. */
export class IoRing {
  readonly #calls: RingCalls;
  readonly #ring: RingMemory;
  readonly #bell: number;
  readonly #bellBytes = new Uint8Array(8);
  /** Requests under way by their number, which travels as `user_data`. */
  readonly #underWay: (RingRequest | undefined)[];
  readonly #free: number[];
  /** Requests that wait for a number, the first of them at `#waitingFirst`. */
  readonly #waiting: RingRequest[] = [];
  #waitingFirst = 0;
  readonly #flush = (): void => this.#flushBatch();
  readonly #rung = (): void => this.#bellRung();
  #tail: number;
  #unsubmitted = 0;
  #scheduled = false;
  #listening = false;
  #users = 0;
  #closed = false;

  private constructor(calls: RingCalls, ring: RingMemory, bell: number) {
    this.#calls = calls;
    this.#ring = ring;
    this.#bell = bell;
    this.#underWay = Array.from({ length: ring.entryCount });
    this.#free = Array.from({ length: ring.entryCount }, (_, number) => ring.entryCount - 1 - number);
    this.#tail = ring.words[ring.submitTail] ?? 0;
    ring.words[ring.completeFlags] = BELL_OFF;
  }

  /** A new ring, or why there is none, in words for people. */
  static open(): IoRing | string {
    const calls = RingCalls.load();
    if (typeof calls === 'string') return calls;
    const ring = calls.makeRing(UNDER_WAY_MAX);
    if (typeof ring === 'number') return `the kernel gives no ring of io_uring (${errorName(ring)})`;
    const bell = calls.bell(ring);
    if (bell >= 0) return new IoRing(calls, ring, bell);
    calls.unmake(ring);
    return `the kernel gives no bell for a ring of io_uring (${errorName(-bell)})`;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** One more file uses the ring. */
  use(): this {
    this.#users++;
    return this;
  }

  /**
   * A file does not use the ring any more, and nothing of it is under way. Closes an unused ring.
   */
  release(): void {
    if (--this.#users > 0) return;
    assert(this.#free.length === this.#ring.entryCount, 'nothing is under way in a ring without users');
    this.#closed = true;
    this.#calls.unmake(this.#ring);
    // If a read of the bell still waited, the number could belong to another file by now.
    if (!this.#listening) this.#calls.closeBell(this.#bell);
  }

  /** Begins a request. Those of one turn go to the kernel together, after it. */
  submit(request: RingRequest): void {
    if (this.#free.length === 0) {
      this.#waiting.push(request);
      return;
    }
    this.#write(request);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#flush);
  }

  #write(request: RingRequest): void {
    const number = this.#free.pop();
    assert(number !== undefined, 'a number is free');
    this.#underWay[number] = request;
    const { entries, entryCount } = this.#ring;
    const at = (this.#tail & (entryCount - 1)) * ENTRY_WORDS;
    const { operation, descriptor, position, memory } = request;
    // The kernel has read an entry before `io_uring_enter` returns, so its place is free again.
    entries[at] = operation;
    entries[at + 1] = descriptor;
    entries[at + 2] = position % HIGH;
    entries[at + 3] = position / HIGH;
    const address = addressOf(memory);
    assert(address !== undefined, 'a ring is given shared memory only');
    entries[at + 4] = address % HIGH;
    entries[at + 5] = address / HIGH;
    entries[at + 6] = memory.byteLength;
    entries[at + 7] = 0;
    entries[at + 8] = number;
    entries.fill(0, at + 9, at + ENTRY_WORDS);
    this.#tail = (this.#tail + 1) | 0;
    this.#unsubmitted++;
  }

  #flushBatch(): void {
    this.#scheduled = false;
    const { words, submitTail, completeFlags } = this.#ring;
    words[completeFlags] = BELL_OFF;
    let left = this.#batch();
    while (left > 0) {
      Atomics.store(words, submitTail, this.#tail);
      const taken = this.#calls.submit(this.#ring, left);
      if (taken < 0 && !isPassing(-taken)) return this.#refused(taken);
      if (taken > 0) {
        this.#unsubmitted -= taken;
        left -= taken;
      }
      // The kernel may want room for completions first.
      if (taken <= 0 && this.#reap() === 0) break;
    }
    this.#reap();
    this.#listen();
  }

  /** How many of the entries that were not submitted yet go to the kernel in the next call. */
  #batch(): number {
    const { entries, entryCount } = this.#ring;
    let bytes = 0;
    for (let count = 0; count < this.#unsubmitted; count++) {
      const at = ((this.#tail - this.#unsubmitted + count) & (entryCount - 1)) * ENTRY_WORDS;
      bytes += entries[at + 6] ?? 0;
      if (bytes > BATCH_BYTES) return Math.max(1, count);
    }
    return this.#unsubmitted;
  }

  /** Takes completions and begins requests that wait; the number of completions. */
  #reap(): number {
    const { words, completeHead, completeTail, completions, completionMask } = this.#ring;
    let head = words[completeHead] ?? 0;
    let taken = 0;
    for (;;) {
      const tail = Atomics.load(words, completeTail);
      if (head === tail) break;
      for (; head !== tail; head = (head + 1) | 0) {
        const at = completions + (head & completionMask) * COMPLETION_WORDS;
        this.#complete(words[at] ?? 0, words[at + 2] ?? 0);
        taken++;
      }
      Atomics.store(words, completeHead, head);
    }
    return taken;
  }

  #complete(number: number, result: number): void {
    const request = this.#underWay[number];
    assert(request !== undefined, 'the kernel completes requests that are under way');
    this.#underWay[number] = undefined;
    this.#free.push(number);
    request.done(result);
    const next = this.#waiting[this.#waitingFirst];
    if (next === undefined) return;
    this.#waitingFirst++;
    // A queue that never runs dry must not keep what it has given out.
    if (this.#waitingFirst * 2 >= this.#waiting.length) {
      this.#waiting.splice(0, this.#waitingFirst);
      this.#waitingFirst = 0;
    }
    this.submit(next);
  }

  /** Sees to it that completions of what is under way are noticed. */
  #listen(): void {
    const { words, completeHead, completeTail, completeFlags, entryCount } = this.#ring;
    if (this.#scheduled) return;
    if (this.#free.length === entryCount) {
      // The kernel has nothing left to ring for. A read that went on waiting would keep a thread of
      // the pool, and a worker that is to end waits for it.
      if (this.#listening) writeSync(this.#bell, ONE);
      return;
    }
    Atomics.store(words, completeFlags, 0);
    if (this.#unsubmitted > 0 || words[completeHead] !== Atomics.load(words, completeTail)) {
      // The kernel had no room, or something was complete before the bell was on.
      this.#scheduled = true;
      setImmediate(this.#flush);
    } else if (!this.#listening) {
      this.#listening = true;
      read(this.#bell, this.#bellBytes, 0, 8, null, this.#rung);
    }
  }

  #bellRung(): void {
    this.#listening = false;
    if (this.#closed) this.#calls.closeBell(this.#bell);
    else if (!this.#scheduled) this.#flushBatch();
  }

  /** Ends everything that the kernel has not taken, with its error. */
  #refused(error: number): void {
    const { words, submitTail } = this.#ring;
    this.#tail = (this.#tail - this.#unsubmitted) | 0;
    Atomics.store(words, submitTail, this.#tail);
    const { entries, entryCount } = this.#ring;
    const first = this.#tail;
    const count = this.#unsubmitted;
    this.#unsubmitted = 0;
    for (let index = 0; index < count; index++) {
      // Requests that waited and begin now are written to places behind which this has come.
      const at = ((first + index) & (entryCount - 1)) * ENTRY_WORDS;
      this.#complete(entries[at + 8] ?? 0, error);
    }
    this.#reap();
    this.#listen();
  }
}

/** EINTR, EAGAIN (no memory just now) and EBUSY (completions must be taken first). */
function isPassing(error: number): boolean {
  return error === 4 || error === 11 || error === 16;
}

function errorName(error: number): string {
  try {
    return getSystemErrorName(-error);
  } catch {
    return `error ${error}`;
  }
}

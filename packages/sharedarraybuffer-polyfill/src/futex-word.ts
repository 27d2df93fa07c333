/**
 * A word to sleep at, for who sleeps and wakes often: its address is looked up once, and a call
 * into the kernel takes no more arguments than it needs. Any SharedArrayBuffer will do for the
 * threads of one process; for other processes the word must lie in memory that they share. On one
 * CPU this takes two thirds of the time of Atomics.wait and notify, whose waker holds V8's own lock
 * while the thread it has woken already wants it.
 */
import { callFailure } from './errors.ts';
import { ERRNO, type Kernel } from './kernel.ts';
import { kernelIfThere } from './kernel-access.ts';

const NANOSECONDS_PER_MS = 1_000_000;
const MS_PER_SECOND = 1000;
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/**
 * The timeout of the call that is being made, outside of V8's heap so that it stays where it is;
 * one a thread.
 */
class CallTimeout {
  readonly address: number;
  readonly #words: BigInt64Array;
  #ms = -1;

  constructor(kernel: Kernel) {
    this.#words = new BigInt64Array(new SharedArrayBuffer(16));
    this.address = kernel.addressOf(this.#words);
  }

  set(timeoutMs: number): void {
    if (timeoutMs === this.#ms) return;
    this.#ms = timeoutMs;
    this.#words[0] = BigInt(Math.floor(timeoutMs / MS_PER_SECOND));
    this.#words[1] = BigInt(Math.floor((timeoutMs % MS_PER_SECOND) * NANOSECONDS_PER_MS));
  }
}

let callTimeout: CallTimeout | undefined;

/** One word of shared memory. */
export class FutexWord {
  readonly #kernel: Kernel;
  readonly #timeout: CallTimeout;
  readonly #address: number;
  /** Keeps the memory. */
  readonly #words: Int32Array<SharedArrayBuffer>;

  private constructor(kernel: Kernel, words: Int32Array<SharedArrayBuffer>, index: number) {
    this.#kernel = kernel;
    callTimeout ??= new CallTimeout(kernel);
    this.#timeout = callTimeout;
    this.#words = words;
    this.#address = kernel.addressOf(words) + index * Int32Array.BYTES_PER_ELEMENT;
  }

  /** The word at `index`; undefined where the kernel cannot be reached (`support()` says why). */
  static at(words: Int32Array<SharedArrayBuffer>, index: number): FutexWord | undefined {
    if (!Number.isInteger(index) || index < 0 || index >= words.length) {
      throw new RangeError(`there is no word ${index} in an array of ${words.length}`);
    }
    const kernel = kernelIfThere();
    return kernel && new FutexWord(kernel, words, index);
  }

  /**
   * Sleeps while the word is `expected`, for at most `timeoutMs`; false if it was neither woken nor
   * changed by then. Blocks the thread, which cannot be terminated meanwhile: who ends it wakes it
   * first. May return early: look again.
   */
  wait(expected: number, timeoutMs: number): boolean {
    this.#timeout.set(Math.min(Math.max(0, timeoutMs), TIMEOUT_MS_MAX));
    const result = this.#kernel.futexWait(this.#address, expected >>> 0, this.#timeout.address);
    if (result >= 0 || result === -ERRNO.EAGAIN || result === -ERRNO.EINTR) return true;
    if (result === -ERRNO.ETIMEDOUT) return false;
    throw callFailure('futex', result);
  }

  /** Wakes one thread that sleeps at the word, of whichever process. */
  wake(): void {
    const result = this.#kernel.futexWake(this.#address, 1);
    if (result < 0) throw callFailure('futex', result);
  }

  /** The words it was made of. */
  get words(): Int32Array<SharedArrayBuffer> {
    return this.#words;
  }
}

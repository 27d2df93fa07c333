/**
 * Calls of the kernel on open files that Node lacks, through koffi: giving space back, zeros that
 * are not written, the size of a block device. Those that may take long run in libuv's pool.
 * Constants are those of Linux on 64-bit processors.
 */
import { loadKoffi } from 'sharedarraybuffer-polyfill';

type Argument = number | Uint8Array;

/** A function of the C library: called at once, or in libuv's pool with a callback at the end. */
interface NativeFunction {
  (...values: readonly Argument[]): number;
  async(...values: readonly (Argument | ((error: unknown, result: number) => void))[]): void;
}

/** The part of koffi that is used here. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): NativeFunction };
}

/** Modes of fallocate(2): none of them changes the size of the file. */
export const FALLOCATE = {
  /** The range becomes a hole, which reads as zeros, and its space is given back. */
  punchHole: 0x03,
  /** The range reads as zeros, and its space stays. */
  zeroRange: 0x11,
} as const;
const BLKDISCARD = 0x1277;
const SEEK_END = 2;

/** The calls. */
export class FileCalls {
  readonly #fallocate: NativeFunction;
  readonly #ioctl: NativeFunction;
  readonly #lseek: NativeFunction;
  /** Memory that the kernel may read. koffi keeps no reference to it. */
  readonly #lent = new Set<Uint8Array>();

  private constructor(koffi: Koffi) {
    const library = koffi.load(null);
    this.#fallocate = library.func('fallocate', 'int', ['int', 'int', 'int64_t', 'int64_t']);
    this.#ioctl = library.func('ioctl', 'int', ['int', 'ulong', 'void *']);
    this.#lseek = library.func('lseek', 'int64_t', ['int', 'int64_t', 'int']);
  }

  /** The calls; undefined where they cannot be made. Loaded once a thread. */
  static load(): FileCalls | undefined {
    if (loaded === undefined) loaded = FileCalls.#tryLoad() ?? null;
    return loaded ?? undefined;
  }

  static #tryLoad(): FileCalls | undefined {
    if (process.platform !== 'linux') return undefined;
    try {
      return new FileCalls(loadKoffi());
    } catch {
      return undefined;
    }
  }

  /**
   * Calls fallocate(2) on a range; false if that fails. The reason cannot be told: the error
   * belongs to the thread of the pool.
   */
  allocate(descriptor: number, mode: number, position: number, bytes: number): Promise<boolean> {
    return later((done) => this.#fallocate.async(descriptor, mode, position, bytes, done));
  }

  /** Tells a block device that a range is not needed any more; false if it does not care. */
  discardBlocks(descriptor: number, position: number, bytes: number): Promise<boolean> {
    const range = new BigUint64Array([BigInt(position), BigInt(bytes)]);
    const argument = new Uint8Array(range.buffer);
    this.#lent.add(argument);
    return later((done) => this.#ioctl.async(descriptor, BLKDISCARD, argument, done)).finally(() =>
      this.#lent.delete(argument),
    );
  }

  /** The position of the end: of a block device, its size. Negative if it cannot be told. */
  end(descriptor: number): number {
    return this.#lseek(descriptor, 0, SEEK_END);
  }
}

/** The calls of this thread: `null` if there are none. */
let loaded: FileCalls | null | undefined;

function later(call: (done: (error: unknown, result: number) => void) => void): Promise<boolean> {
  return new Promise((resolve) => call((error, result) => resolve(!error && result === 0)));
}

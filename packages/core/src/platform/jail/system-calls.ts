/**
 * System calls by their numbers, for the jail: the C library has no functions for most of what it
 * needs, and refuses some of the rest. On processors other than x64 there are none: the jail was
 * tried on no other, and its numbers are those of x64.
 */
import { createRequire } from 'node:module';
import { findKoffi } from 'sharedarraybuffer-polyfill';
import { CALLS, type CallName, errnoName } from './call-numbers.ts';

type Word = number | Uint8Array | BigUint64Array;
type NativeFunction = (...values: readonly (number | bigint)[]) => number;

/** The part of koffi that is used here. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): NativeFunction };
  address(view: ArrayBufferView): bigint;
  view(address: bigint, lengthBytes: number): ArrayBuffer;
  errno(): number;
}

/** `syscall` reads seven words, whatever a call takes. */
const WORDS = 6;

/** Makes system calls from the calling thread. */
export class SystemCalls {
  /** Files that make up koffi, as this process has loaded them. */
  readonly koffiFiles: readonly string[];
  readonly #koffi: Koffi;
  readonly #syscall: NativeFunction;

  private constructor(koffi: Koffi, koffiFiles: readonly string[]) {
    this.#koffi = koffi;
    this.koffiFiles = koffiFiles;
    this.#syscall = koffi
      .load(null)
      .func('syscall', 'long', ['long', ...Array<string>(WORDS).fill('intptr_t')]);
  }

  /** The calls, or why none can be made, in words for people. */
  static load(): SystemCalls | string {
    if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
    if (process.arch !== 'x64') return `it is written for x64, and this is ${process.arch}`;
    try {
      const require = createRequire(import.meta.url);
      const directory = findKoffi();
      const koffi: Koffi = require(directory);
      return new SystemCalls(koffi, filesOf(require.cache[require.resolve(directory)]));
    } catch {
      return 'koffi is not installed or cannot be loaded (npm install koffi)';
    }
  }

  /**
   * Makes a call. The result is the call's, or the error as a negative number. Memory that is
   * passed must not be on V8's heap (`outside`).
   */
  call(name: CallName, ...words: readonly Word[]): number {
    const all = Array.from({ length: WORDS }, (_, index) => this.#word(words[index] ?? 0));
    const result = this.#syscall(CALLS[name], ...all);
    return result === -1 ? -this.#koffi.errno() : result;
  }

  /** As `call`, but throws if the kernel refuses. */
  must(name: CallName, ...words: readonly Word[]): number {
    const result = this.call(name, ...words);
    if (result < 0) throw new Error(`${name} failed with ${errnoName(-result)}`);
    return result;
  }

  addressOf(view: ArrayBufferView): bigint {
    return this.#koffi.address(view);
  }

  /** The memory at an address; the caller sees to it that it stays there. */
  memoryAt(address: number, lengthBytes: number): ArrayBuffer {
    return this.#koffi.view(BigInt(address), lengthBytes);
  }

  #word(word: Word): number | bigint {
    return typeof word === 'number' ? word : this.#koffi.address(word);
  }
}

/**
 * The files of a loaded module and of what it has loaded: koffi's native part is in a package of
 * its own.
 */
function filesOf(module: NodeModule | undefined, seen: Set<string> = new Set()): string[] {
  if (!module || seen.has(module.filename)) return [];
  seen.add(module.filename);
  return [module.filename, ...module.children.flatMap((child) => filesOf(child, seen))];
}

/** Memory that the kernel can be given the address of. */
export function outside(lengthBytes: number): Buffer {
  // A smaller buffer could be a part of Node's pool, and a small one of its own is on V8's heap.
  return Buffer.allocUnsafeSlow(lengthBytes).fill(0);
}

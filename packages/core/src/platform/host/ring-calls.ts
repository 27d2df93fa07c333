/**
 * The kernel's calls behind `io-ring.ts`, through koffi, and the memory that a ring shares with the
 * kernel. Constants are those of Linux on 64-bit processors; the numbers of io_uring's calls are
 * the same on all of them.
 */
import { loadKoffi } from 'sharedarraybuffer-polyfill';

type NativeFunction = (...values: readonly (number | Uint8Array)[]) => number;

/** The part of koffi that is used here. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): NativeFunction };
  address(view: ArrayBufferView): bigint;
  view(address: bigint, lengthBytes: number): ArrayBuffer;
  errno(): number;
}

const IO_URING_SETUP = 425;
const IO_URING_ENTER = 426;
const IO_URING_REGISTER = 427;
const REGISTER_EVENTFD = 4;
const OFFSET_RINGS = 0;
const OFFSET_ENTRIES = 0x1000_0000;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;
const EFD_CLOEXEC = 0x8_0000;
const ENOSYS = 38;
/** Large enough for V8 to keep it off its heap, where it would move. */
const PARAMETER_WORDS = 30;
/** Where struct io_uring_params has what, in words. */
const PARAMETER = { entries: 0, completions: 1, submit: 10, complete: 20 } as const;
const ENTRY_BYTES = 64;
const COMPLETION_BYTES = 16;

/** The memory of a ring, as words, and the places in it; the layout is the kernel's. */
export interface RingMemory {
  readonly descriptor: number;
  readonly words: Int32Array;
  readonly submitTail: number;
  readonly completeHead: number;
  readonly completeTail: number;
  readonly completeFlags: number;
  readonly completions: number;
  readonly completionMask: number;
  /** The entries to be submitted, 16 words each. */
  readonly entries: Int32Array;
  readonly entryCount: number;
}

/** The calls. */
export class RingCalls {
  readonly #koffi: Koffi;
  readonly #call: NativeFunction;
  readonly #mmap: NativeFunction;
  readonly #munmap: NativeFunction;
  readonly #eventfd: NativeFunction;
  readonly #close: NativeFunction;

  private constructor(koffi: Koffi) {
    const library = koffi.load(null);
    const word = 'intptr_t';
    this.#koffi = koffi;
    // `syscall` reads all its seven words, whatever the kernel takes of them.
    this.#call = library.func('syscall', 'long', ['long', word, word, word, word, word, word]);
    this.#mmap = library.func('mmap', word, [word, 'size_t', 'int', 'int', 'int', 'int64_t']);
    this.#munmap = library.func('munmap', 'int', [word, 'size_t']);
    this.#eventfd = library.func('eventfd', 'int', ['uint', 'int']);
    this.#close = library.func('close', 'int', ['int']);
  }

  /** The calls, or why they cannot be made, in words for people. */
  static load(): RingCalls | string {
    if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
    try {
      return new RingCalls(loadKoffi());
    } catch {
      return 'koffi is not installed or cannot be loaded (npm install koffi)';
    }
  }

  /** The address of the first byte of a view on memory that is not on V8's heap. */
  addressOf(view: ArrayBufferView): number {
    return Number(this.#koffi.address(view));
  }

  /** Makes a ring of `entryCount` entries; the kernel's error if there is none. */
  makeRing(entryCount: number): RingMemory | number {
    const parameters = new Uint32Array(PARAMETER_WORDS);
    const bytes = new Uint8Array(parameters.buffer);
    const descriptor = this.#call(IO_URING_SETUP, entryCount, this.addressOf(bytes), 0, 0, 0, 0);
    if (descriptor < 0) return this.#koffi.errno();
    const at = (place: number): number => parameters[place] ?? 0;
    const submit = (place: number): number => at(PARAMETER.submit + place);
    const complete = (place: number): number => at(PARAMETER.complete + place);
    const entries = at(PARAMETER.entries);
    const completionCount = at(PARAMETER.completions);
    const completions = complete(5);
    const ringBytes = Math.max(submit(6) + entries * 4, completions + completionCount * COMPLETION_BYTES);
    // Kernels before 5.8 cannot switch the bell off; those behind it have both queues in one piece.
    if (complete(6) === 0) {
      this.#close(descriptor);
      return ENOSYS;
    }
    const words = this.#map(descriptor, ringBytes, OFFSET_RINGS);
    const table =
      typeof words === 'number' ? words : this.#map(descriptor, entries * ENTRY_BYTES, OFFSET_ENTRIES);
    if (typeof words === 'number' || typeof table === 'number') {
      if (typeof words !== 'number') this.#munmap(this.addressOf(words), words.byteLength);
      this.#close(descriptor);
      return typeof table === 'number' ? table : ENOSYS;
    }
    // Entry N is always in place N of the queue.
    for (let number = 0; number < entries; number++) words[submit(6) / 4 + number] = number;
    return {
      descriptor,
      words,
      submitTail: submit(1) / 4,
      completeHead: complete(0) / 4,
      completeTail: complete(1) / 4,
      completeFlags: complete(6) / 4,
      completions: completions / 4,
      completionMask: completionCount - 1,
      entries: table,
      entryCount: entries,
    };
  }

  /** Has the kernel submit `count` entries; how many it took, or its error as a negative number. */
  submit({ descriptor }: RingMemory, count: number): number {
    const result = this.#call(IO_URING_ENTER, descriptor, count, 0, 0, 0, 0);
    return result < 0 ? -this.#koffi.errno() : result;
  }

  /** A descriptor that can be read when something is complete. */
  bell({ descriptor }: RingMemory): number {
    const bell = this.#eventfd(0, EFD_CLOEXEC);
    if (bell < 0) return -this.#koffi.errno();
    const words = new Int32Array(PARAMETER_WORDS);
    words[0] = bell;
    const address = this.addressOf(words);
    if (this.#call(IO_URING_REGISTER, descriptor, REGISTER_EVENTFD, address, 1, 0, 0) === 0) return bell;
    const error = this.#koffi.errno();
    this.#close(bell);
    return -error;
  }

  /**
   * Closes a bell. Node's own close would complain in a worker, because Node has not opened it.
   */
  closeBell(bell: number): void {
    this.#close(bell);
  }

  /** Takes back a ring. Its memory must not be touched any more. */
  unmake({ descriptor, words, entries }: RingMemory): void {
    for (const memory of [words, entries]) this.#munmap(this.addressOf(memory), memory.byteLength);
    this.#close(descriptor);
  }

  #map(descriptor: number, lengthBytes: number, offset: number): Int32Array | number {
    const address = this.#mmap(0, lengthBytes, PROT_READ_WRITE, MAP_SHARED_POPULATE, descriptor, offset);
    if (address === -1) return this.#koffi.errno();
    return new Int32Array(this.#koffi.view(BigInt(address), lengthBytes));
  }
}

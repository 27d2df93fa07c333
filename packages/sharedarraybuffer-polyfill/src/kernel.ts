/**
 * The kernel's calls that Node lacks, through koffi: memory files, mappings, futexes, sockets that
 * pass descriptors. Addresses are plain numbers: user space of every 64-bit Linux ends below 2^53.
 * Nothing here knows what the calls are for. The constants are those of Linux's generic ABI, which
 * all processors below share.
 */
import { callFailure, type SharedMemoryError } from './errors.ts';
import { loadKoffi } from './find-koffi.ts';
import { FUTEX_OPERATION } from './futex-operation.ts';

type Argument = number | bigint | string | Uint8Array | null;
type NativeFunction = (...values: readonly Argument[]) => number;

/** The part of koffi that is used here. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): NativeFunction };
  address(view: ArrayBufferView): bigint;
  errno(): number;
}

/** Number of the system call futex(2); futex_waitv has one number everywhere. */
const FUTEX_CALLS: Readonly<Record<string, number>> = { x64: 202, arm64: 98, riscv64: 98, loong64: 98 };
const FUTEX_WAITV_CALL = 449;
const PAGE_SIZE_NAME = 30;

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MREMAP_MAYMOVE_FIXED = 3;
const MADV_REMOVE = 9;
const NO_FILE = -1;
const RLIMIT_DATA = 2;
const RLIMIT_INFINITY = 2n ** 64n - 1n;

/** Errors that callers tell apart. */
export const ERRNO = {
  EPERM: 1,
  EINTR: 4,
  EAGAIN: 11,
  EINVAL: 22,
  EPIPE: 32,
  ENOSYS: 38,
  ECONNRESET: 104,
  ETIMEDOUT: 110,
} as const;

/**
 * Outcome of a call that may fail in ways its caller expects: a result, or the error as a negative
 * number.
 */
type ResultOrErrno = number;

/**
 * Calls of the C library, each bound when it is made for the first time: most threads make few of
 * them. Those that are made all the time are bound at once, which makes them a little faster.
 */
function bind(koffi: Koffi) {
  const library = koffi.load(null);
  const word = 'intptr_t';
  const later = (name: string, result: string, parameters: readonly string[]): NativeFunction => {
    let bound: NativeFunction | undefined;
    return (...values) => (bound ??= library.func(name, result, parameters))(...values);
  };
  return {
    mmap: later('mmap', word, [word, 'size_t', 'int', 'int', 'int', 'int64_t']),
    mremap: later('mremap', word, [word, 'size_t', 'size_t', 'int', word]),
    madvise: later('madvise', 'int', [word, 'size_t', 'int']),
    memfdCreate: later('memfd_create', 'int', ['str', 'uint']),
    ftruncate: later('ftruncate', 'int', ['int', 'int64_t']),
    fcntl: later('fcntl', 'int', ['int', 'int', word]),
    close: later('close', 'int', ['int']),
    socketpair: later('socketpair', 'int', ['int', 'int', 'int', 'void *']),
    sendmsg: later('sendmsg', word, ['int', 'void *', 'int']),
    recvmsg: later('recvmsg', word, ['int', 'void *', 'int']),
    getrlimit: later('getrlimit', 'int', ['int', 'void *']),
    setrlimit: later('setrlimit', 'int', ['int', 'void *']),
    sysconf: later('sysconf', 'long', ['int']),
    // `syscall` reads all its seven words, whatever the kernel takes of them, the last perhaps from
    // the stack. With fewer, what lies above koffi's stack would be read, where nothing need be.
    futex: library.func('syscall', 'long', ['long', word, 'int', 'uint32_t', 'void *', word, 'uint32_t']),
    futexWaitOrWake: library.func('syscall', 'long', ['long', word, 'int', 'uint32_t', word, word, word]),
    futexWaitv: later('syscall', 'long', ['long', 'void *', 'uint', 'uint', 'void *', 'int', word]),
  };
}

/**
 * The calls. Those that return `ResultOrErrno` leave failures to the caller; all others throw
 * `SystemCall`.
 */
export class Kernel {
  readonly #koffi: Koffi;
  readonly #calls: ReturnType<typeof bind>;
  readonly #futexCall: number;
  #pageBytes: number | undefined;

  private constructor(koffi: Koffi, futexCall: number) {
    this.#koffi = koffi;
    this.#calls = bind(koffi);
    this.#futexCall = futexCall;
  }

  /** Size of a page of memory. */
  get pageBytes(): number {
    this.#pageBytes ??= this.#calls.sysconf(PAGE_SIZE_NAME);
    return this.#pageBytes;
  }

  /** The kernel of this machine, or why it cannot be reached, in words for people. */
  static load(): Kernel | string {
    if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
    const futexCall = FUTEX_CALLS[process.arch];
    if (futexCall === undefined) return `the processor ${process.arch} is not supported`;
    let koffi: Koffi;
    try {
      koffi = loadKoffi();
    } catch {
      return 'koffi is not installed or cannot be loaded: npm install koffi';
    }
    try {
      return new Kernel(koffi, futexCall);
    } catch (error) {
      return `the C library cannot be reached through koffi: ${error instanceof Error ? error.message : error}`;
    }
  }

  /** Address of the first byte that a view covers. The memory must not be on V8's heap. */
  addressOf(view: ArrayBufferView): number {
    return Number(this.#koffi.address(view));
  }

  /** Maps a file over whatever is at `address`. */
  mapFile(address: number, lengthBytes: number, fd: number, writeable: boolean): void {
    const protection = writeable ? PROT_READ | PROT_WRITE : PROT_READ;
    const result = this.#calls.mmap(address, lengthBytes, protection, MAP_SHARED | MAP_FIXED, fd, 0);
    if (result !== address) throw this.#failure('mmap');
  }

  /**
   * As `mapFile`, but what is written stays in pages of this mapping's own: the file is only ever
   * read.
   */
  mapFilePrivately(address: number, lengthBytes: number, fd: number): void {
    const flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
    const result = this.#calls.mmap(address, lengthBytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (result !== address) throw this.#failure('mmap');
  }

  /** Maps fresh memory that costs nothing until it is touched over whatever is at `address`. */
  mapSparse(address: number, lengthBytes: number): void {
    const flags = MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE;
    const result = this.#calls.mmap(address, lengthBytes, PROT_READ | PROT_WRITE, flags, NO_FILE, 0);
    if (result !== address) throw this.#failure('mmap');
  }

  /**
   * Maps zeros over whatever is at `address`, in one step. Reading them costs nothing; what is
   * written there counts as this process's own. Where RLIMIT_DATA bounds the process they must not
   * count before they are written to, so there they are shared memory, as in `mapSparse`.
   */
  mapZeros(address: number, lengthBytes: number): void {
    const [soft] = this.dataLimit();
    if (soft !== RLIMIT_INFINITY) return this.mapSparse(address, lengthBytes);
    const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE;
    const result = this.#calls.mmap(address, lengthBytes, PROT_READ | PROT_WRITE, flags, NO_FILE, 0);
    if (result !== address) throw this.#failure('mmap');
  }

  /** Makes the shared memory at `from` visible at `to` as well, over whatever is there. */
  mapAgain(from: number, to: number, lengthBytes: number): void {
    if (this.#calls.mremap(from, 0, lengthBytes, MREMAP_MAYMOVE_FIXED, to) !== to) {
      throw this.#failure('mremap');
    }
  }

  /** Gives the pages of shared memory back; they read as zeros from then on. */
  discard(address: number, lengthBytes: number): void {
    if (this.#calls.madvise(address, lengthBytes, MADV_REMOVE) !== 0) throw this.#failure('madvise');
  }

  /** RLIMIT_DATA of the process: what counts, and what it may be raised to. */
  dataLimit(): [soft: bigint, hard: bigint] {
    const limit = new BigUint64Array(2);
    if (this.#calls.getrlimit(RLIMIT_DATA, new Uint8Array(limit.buffer)) !== 0)
      throw this.#failure('getrlimit');
    const [soft = 0n, hard = 0n] = limit;
    return [soft, hard];
  }

  setDataLimit(soft: bigint, hard: bigint): void {
    const limit = new BigUint64Array([soft, hard]);
    if (this.#calls.setrlimit(RLIMIT_DATA, new Uint8Array(limit.buffer)) !== 0)
      throw this.#failure('setrlimit');
  }

  memfdCreate(name: string, flags: number): ResultOrErrno {
    return this.#result(this.#calls.memfdCreate(name, flags));
  }

  truncate(fd: number, sizeBytes: number): void {
    if (this.#calls.ftruncate(fd, sizeBytes) !== 0) throw this.#failure('ftruncate');
  }

  fcntl(fd: number, command: number, argument: number): ResultOrErrno {
    return this.#result(this.#calls.fcntl(fd, command, argument));
  }

  /** Closes a descriptor; one that is not open is no error. */
  close(fd: number): void {
    this.#calls.close(fd);
  }

  /** Two connected sockets, as descriptors. */
  socketPair(domain: number, type: number): [number, number] {
    const pair = Buffer.alloc(8);
    if (this.#calls.socketpair(domain, type, 0, pair) !== 0) throw this.#failure('socketpair');
    return [pair.readInt32LE(0), pair.readInt32LE(4)];
  }

  sendMessage(fd: number, header: Uint8Array, flags: number): ResultOrErrno {
    return this.#result(this.#calls.sendmsg(fd, header, flags));
  }

  receiveMessage(fd: number, header: Uint8Array, flags: number): ResultOrErrno {
    return this.#result(this.#calls.recvmsg(fd, header, flags));
  }

  /** futex(2). `timeout` is a timespec. */
  futex(address: number, operation: number, value: number, timeout: Uint8Array | null): ResultOrErrno {
    return this.#result(this.#calls.futex(this.#futexCall, address, operation, value, timeout, 0, 0));
  }

  /** futex(2), waiting; `timeoutAddress` is that of a timespec. */
  futexWait(address: number, expected: number, timeoutAddress: number): ResultOrErrno {
    const { wait } = FUTEX_OPERATION;
    return this.#result(
      this.#calls.futexWaitOrWake(this.#futexCall, address, wait, expected, timeoutAddress, 0, 0),
    );
  }

  /** futex(2), waking. */
  futexWake(address: number, count: number): ResultOrErrno {
    return this.#result(
      this.#calls.futexWaitOrWake(this.#futexCall, address, FUTEX_OPERATION.wake, count, 0, 0, 0),
    );
  }

  /**
   * Compares a word with a value without sleeping: 0 if they are equal, else EAGAIN, EFAULT if
   * there is no memory.
   */
  futexCompare(address: number, otherAddress: number, value: number): ResultOrErrno {
    // FUTEX_CMP_REQUEUE that wakes nobody and moves nobody.
    return this.#result(this.#calls.futex(this.#futexCall, address, 4, 0, null, otherAddress, value));
  }

  /**
   * futex_waitv(2): `waiters` is an array of `count` struct futex_waitv, `until` a timespec of
   * `clock`.
   */
  futexWaitMany(waiters: Uint8Array, count: number, until: Uint8Array, clock: number): ResultOrErrno {
    return this.#result(this.#calls.futexWaitv(FUTEX_WAITV_CALL, waiters, count, 0, until, clock, 0));
  }

  #result(result: number): ResultOrErrno {
    return result === -1 ? -this.#koffi.errno() : result;
  }

  #failure(call: string): SharedMemoryError {
    return callFailure(call, -this.#koffi.errno());
  }
}

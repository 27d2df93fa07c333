/**
 * Calls of the kernel that platforms need and Node lacks, made through koffi: the CPUs of a thread,
 * the bound of a process's memory, locks of open file descriptions, and a process that ends with
 * its parent. koffi is optional: the callers say what cannot be done without it. Constants are
 * those of Linux on 64-bit processors.
 */
import { loadKoffi } from 'sharedarraybuffer-polyfill';

type NativeFunction = (...values: readonly (number | Uint8Array)[]) => number;

/** The part of koffi that is used here. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): NativeFunction };
  errno(): number;
}

const THIS_THREAD = 0;
/** Room for 8192 CPUs, the most that kernels are built for. */
const CPU_MASK_BYTES = 1024;
const RLIMIT_DATA = 2;
const LIMIT_BYTES = 16;
/**
 * Locks of an open file description. They end with its last descriptor, however the process ends.
 */
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const LOCK = { read: 0, write: 1, none: 2 } as const;
/**
 * struct flock: type and whence (16 bits each), start and length (64 bits, from byte 8 on),
 * process.
 */
const FLOCK_BYTES = 32;
const EAGAIN = 11;
const EACCES = 13;
const UNLIMITED = 2n ** 64n - 1n;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/** The calls. `load` gives the reason, in words for people, if they cannot be made. */
export class Kernel {
  readonly #koffi: Koffi;
  readonly #getAffinity: NativeFunction;
  readonly #setAffinity: NativeFunction;
  readonly #getLimit: NativeFunction;
  readonly #setLimit: NativeFunction;
  readonly #fcntl: NativeFunction;
  readonly #prctl: NativeFunction;

  private constructor(koffi: Koffi) {
    this.#koffi = koffi;
    const library = koffi.load(null);
    this.#getAffinity = library.func('sched_getaffinity', 'int', ['int', 'size_t', 'void *']);
    this.#setAffinity = library.func('sched_setaffinity', 'int', ['int', 'size_t', 'void *']);
    this.#getLimit = library.func('getrlimit', 'int', ['int', 'void *']);
    this.#fcntl = library.func('fcntl', 'int', ['int', 'int', 'void *']);
    this.#setLimit = library.func('setrlimit', 'int', ['int', 'void *']);
    this.#prctl = library.func('prctl', 'int', ['int', 'size_t', 'size_t', 'size_t', 'size_t']);
  }

  static load(): Kernel | string {
    if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
    try {
      return new Kernel(loadKoffi());
    } catch {
      return 'koffi is not installed or cannot be loaded (npm install koffi)';
    }
  }

  /** Numbers of the CPUs that the calling thread may use. */
  threadCpus(): number[] {
    const mask = new Uint8Array(CPU_MASK_BYTES);
    this.#check('sched_getaffinity', this.#getAffinity(THIS_THREAD, CPU_MASK_BYTES, mask));
    return Array.from({ length: CPU_MASK_BYTES * 8 }, (_, cpu) => cpu).filter(
      (cpu) => ((mask[cpu >> 3] ?? 0) & (1 << (cpu & 7))) !== 0,
    );
  }

  /** Lets the calling thread use these CPUs only. */
  setThreadCpus(cpus: readonly number[]): void {
    const mask = new Uint8Array(CPU_MASK_BYTES);
    for (const cpu of cpus) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
    this.#check('sched_setaffinity', this.#setAffinity(THIS_THREAD, CPU_MASK_BYTES, mask));
  }

  /**
   * Bounds the private writeable memory of the process. The process may raise the bound up to
   * `maxBytes`.
   */
  setDataLimit(bytes: number, maxBytes: number): void {
    const limit = new BigUint64Array(LIMIT_BYTES / 8);
    this.#check('getrlimit', this.#getLimit(RLIMIT_DATA, new Uint8Array(limit.buffer)));
    const [, hard = UNLIMITED] = limit;
    const max = BigInt(maxBytes) < hard ? BigInt(maxBytes) : hard;
    limit[0] = BigInt(bytes) < max ? BigInt(bytes) : max;
    limit[1] = max;
    this.#check('setrlimit', this.#setLimit(RLIMIT_DATA, new Uint8Array(limit.buffer)));
  }

  /**
   * Puts a shared lock on one byte of an open file; false if somebody has an exclusive one there.
   */
  lockShared(descriptor: number, at: number): boolean {
    const result = this.#fcntl(descriptor, F_OFD_SETLK, flock(LOCK.read, at));
    if (result < 0 && [EAGAIN, EACCES].includes(this.#koffi.errno())) return false;
    this.#check('fcntl', result);
    return true;
  }

  /** Whether another open file description has a lock of any kind on that byte. */
  isLockedByOthers(descriptor: number, at: number): boolean {
    const lock = flock(LOCK.write, at);
    this.#check('fcntl', this.#fcntl(descriptor, F_OFD_GETLK, lock));
    return new DataView(lock.buffer).getInt16(0, true) !== LOCK.none;
  }

  /**
   * Has the kernel kill this process when its parent ends, even if it is stopped then. The kernel
   * takes the thread that has forked it for its parent, so that thread must live as long as the
   * process.
   */
  endWithParent(): void {
    this.#check('prctl', this.#prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
  }

  #check(call: string, result: number): void {
    if (result < 0) throw new Error(`${call} failed with error ${this.#koffi.errno()}`);
  }
}

function flock(type: number, at: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(FLOCK_BYTES));
  view.setInt16(0, type, true);
  view.setBigInt64(8, BigInt(at), true);
  view.setBigInt64(16, 1n, true);
  return new Uint8Array(view.buffer);
}

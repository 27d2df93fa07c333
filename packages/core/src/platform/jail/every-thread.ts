/**
 * Makes every thread of the process make the same system calls, as the C library does for
 * setuid(2): the kernel restricts single threads only, and Node has several before the first line
 * of JavaScript. Each thread gets a signal, whose handler is a few bytes of machine code: it goes
 * through a table of calls, compares each result with the one that is expected, so that every
 * thread also shows by itself that it is restricted, and then sets a word that the signal brings
 * the address of. The signal is one that the C library lets nobody block. Three pages:
 *
 *     code     the handler
 *     data     report: count of results that were not expected, row and result of the last of those;
 *              table: a row a call, of its number, six arguments and the expected result; a row of number -1 ends it
 *     answers  a word a thread
 *
 * The calling thread comes last: it may not be able to list the others after that.
 */
import { existsSync, readdirSync } from 'node:fs';
import { CALLS, type CallName } from './call-numbers.ts';
import { outside, type SystemCalls } from './system-calls.ts';

/** A call that every thread makes. Arguments are numbers or memory of `outside`. */
export interface ThreadCall {
  readonly name: CallName;
  readonly words: readonly (number | Uint8Array)[];
  readonly expected: number;
}

const ROW_BYTES = 64;
const ROW_WORDS = ROW_BYTES / 8;
const EXPECTED_WORD = 7;
const PAGE_BYTES = 4096;
const PAGES = 3;
/** Where the table is in the page of data, and the words of the report before it. */
const TABLE_AT = 64;
const ROWS_MAX = (PAGE_BYTES - TABLE_AT) / ROW_BYTES;
const REPORT = { count: 0, row: 1, result: 2 } as const;
const END = -1;
const THREADS_MAX = PAGE_BYTES / 4;
const PROT_READ_WRITE = 3;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const NO_FILE = -1;
/** SIGSETXID of glibc and SIGCANCEL of musl: both keep it out of every mask. */
const SIGNAL = 33;
const SIGNAL_SET_BYTES = 8;
const ACTION_FLAGS = 0x4 | 0x04000000 | 0x10000000; // SIGINFO, RESTORER, RESTART
/** A struct kernel_sigaction: handler, flags, restorer, mask. */
const ACTION_WORDS = 4;
/** A siginfo: signal, error, code; then process, user and value of its sender. */
const INFO_BYTES = 128;
const SI_QUEUE = -1;
/**
 * How long to wait for threads. They answer within microseconds, unless there is too much to do for
 * the CPUs.
 */
const TIMEOUT_MS = 10_000;
const LOOK_MS = 0.05;
/** The longest pause between two looks. Looking takes time of the CPUs that the others wait for. */
const LOOK_MS_MAX = 2;
/** After this time a thread may have ended without an answer, so the threads are listed again. */
const DOUBT_MS = 5;

/** The bytes of an address. */
function word(address: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(address);
  return bytes.toString('hex');
}

/**
 * The handler, for x64. Registers that a function must preserve are saved; the kernel saves all
 * others in the signal's frame.
 */
function handlerCode(table: bigint, report: bigint): Buffer {
  return Buffer.from(
    [
      '53', // push rbx
      '4154', // push r12
      '4155', // push r13
      '4989f5', // mov r13, rsi (the siginfo)
      `48bb${word(table)}`, // mov rbx, table
      `49bc${word(report)}`, // mov r12, report
      // next:
      '488b03', // mov rax, [rbx]
      '4883f8ff', // cmp rax, -1
      '7436', // je done
      '488b7b08', // mov rdi, [rbx + 8]
      '488b7310', // mov rsi, [rbx + 16]
      '488b5318', // mov rdx, [rbx + 24]
      '4c8b5320', // mov r10, [rbx + 32]
      '4c8b4328', // mov r8, [rbx + 40]
      '4c8b4b30', // mov r9, [rbx + 48]
      '0f05', // syscall
      '483b4338', // cmp rax, [rbx + 56]
      '7410', // je expected
      '4989442410', // mov [r12 + 16], rax
      '49895c2408', // mov [r12 + 8], rbx
      'f041ff442400', // lock inc dword [r12 + 0]
      // expected:
      '4883c340', // add rbx, 64
      'ebc1', // jmp next
      // done:
      '498b4518', // mov rax, [r13 + 24] (the value in the siginfo)
      'c70001000000', // mov dword [rax], 1
      '415d', // pop r13
      '415c', // pop r12
      '5b', // pop rbx
      'c3', // ret
      // restorer:
      'b80f000000', // mov eax, 15 (rt_sigreturn)
      '0f05', // syscall
    ].join(''),
    'hex',
  );
}
const RESTORER_BYTES = 7;

/** Code, table and answers. The arguments of the calls must live as long as it does. */
class Pages {
  readonly #calls: SystemCalls;
  readonly #address: number;
  readonly #restorer: number;
  readonly #report: BigInt64Array;
  readonly #table: BigInt64Array;
  readonly #answers: Int32Array;
  #names: readonly string[] = [];

  constructor(calls: SystemCalls) {
    this.#calls = calls;
    const size = PAGES * PAGE_BYTES;
    this.#address = calls.must('mmap', 0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, NO_FILE, 0);
    const data = calls.memoryAt(this.#address + PAGE_BYTES, PAGE_BYTES);
    this.#report = new BigInt64Array(data, 0, TABLE_AT / 8);
    this.#table = new BigInt64Array(data, TABLE_AT);
    this.#answers = new Int32Array(calls.memoryAt(this.#address + 2 * PAGE_BYTES, PAGE_BYTES));
    const report = BigInt(this.#address + PAGE_BYTES);
    const code = handlerCode(report + BigInt(TABLE_AT), report);
    this.#restorer = this.#address + code.length - RESTORER_BYTES;
    new Uint8Array(calls.memoryAt(this.#address, PAGE_BYTES)).set(code);
    calls.must('mprotect', this.#address, PAGE_BYTES, PROT_READ_EXEC);
  }

  /** The handler in the form that the kernel takes. */
  action(): BigUint64Array {
    const action = new BigUint64Array(outside(ACTION_WORDS * 8).buffer);
    action.set([BigInt(this.#address), BigInt(ACTION_FLAGS), BigInt(this.#restorer), 0n]);
    return action;
  }

  fill(rows: readonly ThreadCall[]): void {
    if (rows.length >= ROWS_MAX) throw new RangeError('the table has no room for so many calls');
    this.#names = rows.map(({ name }) => name);
    rows.forEach(({ name, words, expected }, index) => {
      const row = this.#table.subarray(index * ROW_WORDS, (index + 1) * ROW_WORDS);
      row.fill(0n);
      row[0] = BigInt(CALLS[name]);
      words.forEach((each, at) => {
        row[at + 1] = typeof each === 'number' ? BigInt(each) : this.#calls.addressOf(each);
      });
      row[EXPECTED_WORD] = BigInt(expected);
    });
    this.#table[rows.length * ROW_WORDS] = BigInt(END);
  }

  /** Sends the signal to a thread; false if it has ended. */
  signal(process: number, thread: number, slot: number): boolean {
    if (slot >= THREADS_MAX) throw new RangeError('the process has too many threads');
    const info = outside(INFO_BYTES);
    info.writeInt32LE(SIGNAL, 0);
    info.writeInt32LE(SI_QUEUE, 8);
    info.writeBigUInt64LE(BigInt(this.#address + 2 * PAGE_BYTES + slot * 4), 24);
    return this.#calls.call('rt_tgsigqueueinfo', process, thread, SIGNAL, info) === 0;
  }

  answered(slot: number): boolean {
    return Atomics.load(this.#answers, slot) !== 0;
  }

  /** Throws if a call had another result than was expected. */
  check(): void {
    const count = this.#report[REPORT.count];
    if (count === 0n) return;
    const at = Number(this.#report[REPORT.row]) - (this.#address + PAGE_BYTES + TABLE_AT);
    const name = this.#names[at / ROW_BYTES] ?? 'a call';
    throw new Error(`${name} returned ${this.#report[REPORT.result]} in a thread`);
  }

  free(): void {
    this.#calls.call('munmap', this.#address, PAGES * PAGE_BYTES);
  }
}

/** Threads of a process, as the kernel lists them. */
export function threadsOf(pid: number | 'self'): number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number);
}

/**
 * Lets all threads, new ones included, make the calls of `everybody`, and then this one those of
 * `last`. Throws if a thread does not answer, or if a call has another result than expected.
 * Returns how many threads that were.
 */
export function onEveryThread(
  calls: SystemCalls,
  { everybody, last }: { readonly everybody: readonly ThreadCall[]; readonly last: readonly ThreadCall[] },
): number {
  const process = calls.must('getpid');
  const own = calls.must('gettid');
  const pages = new Pages(calls);
  const old = outside(ACTION_WORDS * 8);
  const action = pages.action();
  calls.must('rt_sigaction', SIGNAL, action, old, SIGNAL_SET_BYTES);
  pages.fill(everybody);
  const slots = new Map<number, number>();
  for (;;) {
    const fresh = threadsOf('self').filter((thread) => thread !== own && !slots.has(thread));
    if (fresh.length === 0) break;
    const waiting = fresh.filter((thread) => {
      slots.set(thread, slots.size);
      return pages.signal(process, thread, slots.size - 1);
    });
    waitFor(waiting, (thread) => pages.answered(slots.get(thread) ?? 0));
  }
  pages.check();
  pages.fill(last);
  if (!pages.signal(process, own, slots.size)) throw new Error('a thread cannot send itself a signal');
  pages.check();
  // Every thread has answered by now, so none is in the handler any more.
  calls.must('rt_sigaction', SIGNAL, old, 0, SIGNAL_SET_BYTES);
  pages.free();
  return slots.size + 1;
}

/** Waits for the answers of threads, but not for those of threads that end meanwhile. */
function waitFor(threads: readonly number[], answered: (thread: number) => boolean): void {
  const sleep = new Int32Array(new SharedArrayBuffer(4));
  const start = performance.now();
  let lookMs = LOOK_MS;
  for (let waiting = threads; ; ) {
    waiting = waiting.filter((thread) => !answered(thread));
    if (waiting.length === 0) return;
    const elapsedMs = performance.now() - start;
    if (elapsedMs > TIMEOUT_MS) throw new Error('a thread does not take signals');
    if (elapsedMs > DOUBT_MS) waiting = waiting.filter((thread) => existsSync(`/proc/self/task/${thread}`));
    Atomics.wait(sleep, 0, 0, lookMs);
    lookMs = Math.min(LOOK_MS_MAX, 2 * lookMs);
  }
}

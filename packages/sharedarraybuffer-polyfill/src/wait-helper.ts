/**
 * Helper threads for asynchronous waits (`wait-board.ts`), as a thread that waits sees them: the
 * one that it shares with others, if `shareWaitHelper` was called before the thread was started,
 * and its own. Each is started when it is needed.
 */
import { getEnvironmentData, setEnvironmentData, Worker } from 'node:worker_threads';
import { SharedMemoryError } from './errors.ts';
import { beginLoad, loadGuard } from './load-guard.ts';
import { monotonicMs } from './monotonic.ts';
import { kernelOrThrow } from './support.ts';
import {
  type AwaitedWord,
  boardMemory,
  type SlotOutcome,
  SLOTS,
  WaitBoard,
  whenWanted,
} from './wait-board.ts';
import type { HelperData } from './wait-helper-main.ts';

/** Compiled, also where this module is run from its source. */
const COMPILED = import.meta.url.endsWith('.ts') ? '../dist/' : './';
const HELPER_MAIN = new URL(`${COMPILED}wait-helper-main.js`, import.meta.url);
/**
 * A helper needs next to nothing. Without a bound V8 reserves room for code, since Node 24 half a
 * gigabyte of memory that counts for RLIMIT_DATA: a process that is bounded by that could not start
 * one.
 */
const HELPER_LIMITS = { codeRangeSizeMb: 8, maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 };
const ENVIRONMENT_KEY = 'sharedarraybuffer-polyfill: wait board';
/** Helpers that a thread starts by itself. */
const OWN_BOARDS_MAX = 8;
/** Asynchronous waits that a thread may always have under way. */
export const ASYNC_WAITS_MAX = OWN_BOARDS_MAX * SLOTS;

const ownBoards = new Set<WaitBoard>();
let processBoard: WaitBoard | undefined;
let lookedForProcessBoard = false;
/** Whether this thread starts a helper for others. */
let sharing = false;

/**
 * One helper thread serves this thread and all workers that it starts from now on, with theirs;
 * without it each thread that waits asynchronously starts its own. To be called early on the main
 * thread, whose event loop starts the helper when one of them waits for the first time: so it
 * outlives all workers, and costs nothing where nobody waits.
 */
export function shareWaitHelper(): void {
  if (sharing) return;
  sharing = true;
  const memory = boardMemory();
  setEnvironmentData(ENVIRONMENT_KEY, memory);
  lookedForProcessBoard = false;
  void whenWanted(memory).then(() => startHelper(memory));
}

/** Waits for a word; `ok` may be too early, never too late. */
export function waitAsyncAt(word: AwaitedWord, timeoutMs: number): Promise<'ok' | 'timed-out'> {
  const untilMs = monotonicMs() + timeoutMs;
  const again = async (waiting: Promise<SlotOutcome>): Promise<'ok' | 'timed-out'> => {
    let outcome = await waiting;
    while (outcome === 'renew') {
      const leftMs = untilMs - monotonicMs();
      outcome = leftMs <= 0 ? 'timed-out' : await waitOnce(word, leftMs);
    }
    return outcome;
  };
  return again(waitOnce(word, timeoutMs));
}

function waitOnce(word: AwaitedWord, timeoutMs: number): Promise<SlotOutcome> {
  if (!lookedForProcessBoard) joinProcessBoard();
  if (processBoard && !processBoard.alive) processBoard = undefined;
  const waiting = processBoard?.wait(word, timeoutMs);
  if (waiting) return waiting;
  for (const board of ownBoards) {
    const own = board.wait(word, timeoutMs);
    if (own) return own;
  }
  if (ownBoards.size >= OWN_BOARDS_MAX) {
    throw new SharedMemoryError(
      'LimitExceeded',
      `more than ${ASYNC_WAITS_MAX} asynchronous waits of one thread`,
    );
  }
  const board = startHelper(boardMemory());
  ownBoards.add(board);
  const first = board.wait(word, timeoutMs);
  if (first) return first;
  throw new SharedMemoryError('LimitExceeded', 'a new board has no room');
}

/** A worker inherits the board of the thread that shares its helper. */
function joinProcessBoard(): void {
  lookedForProcessBoard = true;
  const memory = getEnvironmentData(ENVIRONMENT_KEY);
  if (memory instanceof SharedArrayBuffer) processBoard = new WaitBoard(kernelOrThrow(), memory);
}

function startHelper(memory: SharedArrayBuffer): WaitBoard {
  const board = new WaitBoard(kernelOrThrow(), memory);
  const guard = loadGuard();
  const poll = process.env['SHAREDARRAYBUFFER_POLYFILL'] === 'poll';
  const data: HelperData = { board: memory, poll, guard };
  beginLoad(guard);
  const worker = new Worker(HELPER_MAIN, {
    workerData: data,
    execArgv: [],
    resourceLimits: HELPER_LIMITS,
    name: 'shared memory waits',
  });
  worker.unref();
  const stop = (): void => board.stop();
  const ended = (): void => {
    process.off('exit', stop);
    ownBoards.delete(board);
    board.ended();
  };
  // The process or thread would otherwise end only when the helper comes back from the kernel.
  process.on('exit', stop);
  worker.on('error', ended);
  worker.on('exit', ended);
  return board;
}

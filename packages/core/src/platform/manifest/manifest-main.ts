/**
 * A process that reads manifests of components, so that a config can be checked before anything
 * starts. Importing a module runs its code, so each is imported in a fresh thread. The main thread
 * runs none of that code, so it can always tell how it went. It takes commands on descriptor 3, one
 * of them to lock the process up first, and ends at once when ginit is gone.
 */
import { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { unreachable } from '../../errors.ts';
import { isRecord } from '../../interface/shapes.ts';
import { enterJail } from '../jail/enter.ts';
import { prepareJail } from '../jail/prepare.ts';
import type { JailRules } from '../jail/rules.ts';
import { describeCrash } from '../wire/crash-reason.ts';
import { parseControl } from '../wire/domain-protocol.ts';
import { FORM_FLAGS } from '../host/form.ts';
import { Link } from '../wire/link.ts';
import {
  LOAD_HEAP_MB,
  LOAD_TIMEOUT_MS,
  type ManifestText,
  manifestTextOf,
  type ReadCommand,
  type ReaderCommand,
  readerCommand,
  type ReaderEvent,
} from '../wire/manifest-protocol.ts';

const GINIT_DESCRIPTOR = 3;
const MANIFEST_WORKER = new URL('./manifest-worker.js', import.meta.url);
/**
 * The exit codes of a thread that has nothing left to do while its module still waits for
 * something.
 */
const NOTHING_LEFT: readonly number[] = [0, 13];
const UNFINISHED = 'its module does not finish loading';

const waiting: ReadCommand[] = [];
/** Threads that have no module yet. */
const ahead: Worker[] = [];
let running = 0;

function startAhead(): void {
  // Components print to the outputs of this process, which nobody reads.
  ahead.push(
    new Worker(MANIFEST_WORKER, {
      env: {},
      execArgv: [...FORM_FLAGS],
      resourceLimits: { maxOldGenerationSizeMb: LOAD_HEAP_MB },
    }),
  );
}

function read(worker: Worker, moduleUrl: string): Promise<ManifestText> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => done({ problem: UNFINISHED }), timeoutMs);
    const done = (answer: ManifestText): void => {
      clearTimeout(timer);
      worker.removeAllListeners();
      // An error that a thread throws while it ends does not matter any more.
      worker.on('error', () => {});
      // Nobody waits for this: a thread in a call of the host may never end, and ends with the
      // process then.
      void worker.terminate();
      resolve(answer);
    };
    worker.on('message', (message: unknown) => {
      const answer = isRecord(message) ? manifestTextOf(message) : undefined;
      done(answer ?? { problem: 'its module answers for itself' });
    });
    worker.on('error', (error) => done({ problem: describeError(error) }));
    worker.on('exit', (code) => {
      done({ problem: NOTHING_LEFT.includes(code) ? UNFINISHED : 'its module ends its thread' });
    });
    worker.postMessage(moduleUrl, []);
  });
}

function describeError(error: Error): string {
  const full = Reflect.get(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY';
  return full ? 'its module fills the heap while it loads' : describeCrash(error);
}

function tell(event: ReaderEvent): void {
  up.sendControl(event);
}

function endNow(): never {
  // Not process.exit(): that waits for threads, and one may be stuck in a system call.
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}

function next(): void {
  while (running < availableParallelism()) {
    const request = waiting.shift();
    if (!request) return;
    if (ahead.length === 0) startAhead();
    const worker = ahead.shift();
    if (!worker) return;
    running++;
    void read(worker, request.moduleUrl).then((answer) => {
      tell({ event: 'answer', id: request.id, text: undefined, problem: undefined, ...answer });
      running--;
      next();
    });
    if (waiting.length > ahead.length) startAhead();
  }
}

/**
 * Locks the process up. Threads may still be started, one for each module. They and everything that
 * they start are locked up as well.
 */
async function confine(rules: JailRules): Promise<void> {
  await prepareJail();
  let problem: string | undefined;
  try {
    enterJail({ rules, moreThreads: true });
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  tell({ event: 'confined', problem });
}

function obey(command: ReaderCommand): void {
  switch (command.command) {
    case 'confine':
      return void confine(command.rules);
    case 'read':
      waiting.push(command);
      return next();
    default:
      return unreachable(command);
  }
}

/** Arguments: how many modules are going to come, and how long each may take to load. */
const [, , count, timeout] = process.argv;
const expected = Math.min(Number(count) || 1, availableParallelism());
const timeoutMs = Number(timeout) || LOAD_TIMEOUT_MS;
const up = new Link(
  new Socket({ fd: GINIT_DESCRIPTOR }),
  (_channel, payload) => obey(parseControl(readerCommand, 'command', payload)),
  endNow,
);
for (let started = 0; started < expected; started++) startAhead();

/**
 * A process that reads manifests of components, so that a config can be checked before anything starts. Importing a module
 * runs its code: each is imported in a fresh thread. This thread runs none of it, and so can always tell how it went. It takes
 * commands on descriptor 3, one of them to lock the process up first, and ends at once when ginit is gone.
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
/** How Node ends a thread that has nothing left to do while its module still waits for something. */
const NOTHING_LEFT: readonly number[] = [0, 13];
const UNFINISHED = 'its module does not finish loading';

const waiting: ReadCommand[] = [];
/** Threads that have no module yet. */
const ahead: Worker[] = [];
let running = 0;

function startAhead(): void {
  // What components print goes where this process prints: nowhere.
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
      // What it throws while it ends is of no interest.
      worker.on('error', () => {});
      // Not waited for: a thread in a call of the host's may never end, and then the process will be ended with it.
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

/** Threads may still be started, one for each module; they and what they start are as locked up as the process. */
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

/** Arguments: how many modules are going to come, and how long each may take. */
const [, , count, timeout] = process.argv;
const expected = Math.min(Number(count) || 1, availableParallelism());
const timeoutMs = Number(timeout) || LOAD_TIMEOUT_MS;
const up = new Link(
  new Socket({ fd: GINIT_DESCRIPTOR }),
  (_channel, payload) => obey(parseControl(readerCommand, 'command', payload)),
  endNow,
);
for (let started = 0; started < expected; started++) startAhead();

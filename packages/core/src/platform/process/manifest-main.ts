/**
 * A process that reads manifests of components, so that a config can be checked before anything starts. Importing a module
 * runs its code: each is imported in a fresh thread. This thread runs none of it, and so can always tell how it went.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { isRecord } from '../../interface/shapes.ts';
import { describeCrash } from './crash-reason.ts';
import { FORM_FLAGS } from './form.ts';
import {
  LOAD_HEAP_MB,
  LOAD_TIMEOUT_MS,
  type ManifestReply,
  type ManifestRequest,
  type ManifestText,
  manifestTextOf,
} from './manifest-protocol.ts';

const MANIFEST_WORKER = new URL('./manifest-worker.js', import.meta.url);
/** How Node ends a thread that has nothing left to do while its module still waits for something. */
const NOTHING_LEFT: readonly number[] = [0, 13];
const UNFINISHED = 'its module does not finish loading';

const waiting: ManifestRequest[] = [];
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

function reply(answer: ManifestReply): void {
  process.send?.(answer);
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
      reply({ id: request.id, ...answer });
      running--;
      next();
    });
    if (waiting.length > ahead.length) startAhead();
  }
}

/** Arguments: how many modules are going to come, and how long each may take. */
const [, , count, timeout] = process.argv;
const expected = Math.min(Number(count) || 1, availableParallelism());
const timeoutMs = Number(timeout) || LOAD_TIMEOUT_MS;
for (let started = 0; started < expected; started++) startAhead();
process.on('message', (message: unknown) => {
  if (!isRecord(message)) return;
  const { id, moduleUrl } = message;
  if (typeof id !== 'number' || typeof moduleUrl !== 'string') return;
  waiting.push({ id, moduleUrl });
  next();
});
process.on('disconnect', () => process.exit());
// Whoever started this may have gone while its modules were loaded: nobody was told of that, and threads keep a process alive.
if (!process.connected) process.exit();

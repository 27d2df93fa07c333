/** The thread of `filtered-start.ts`: forbids itself io_uring, and with that all that it starts, and then starts processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { describeStartError } from './process-start.ts';
import { forbidRings } from '../jail/rings.ts';

/** What is asked of the thread. Descriptors are those of the process that it belongs to. */
export type BirthRequest =
  | {
      readonly kind: 'start';
      readonly number: number;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      /** Standard output, standard error, and the link. */
      readonly sockets: readonly number[];
      readonly descriptors: readonly number[];
    }
  | { readonly kind: 'send'; readonly number: number; readonly message: object; readonly socket: number }
  | { readonly kind: 'kill'; readonly number: number };

/** What it says. */
export type BirthNotice =
  | { readonly kind: 'spawned'; readonly number: number; readonly pid: number }
  | { readonly kind: 'failed'; readonly number: number; readonly reason: string }
  | {
      readonly kind: 'exited';
      readonly number: number;
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
    };

const children = new Map<number, ChildProcess>();
const tell = (notice: BirthNotice): void => parentPort?.postMessage(notice, []);

function start({ number, args, env, sockets, descriptors }: BirthRequest & { kind: 'start' }): void {
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, args, {
      stdio: ['ignore', ...sockets, 'ipc', ...descriptors],
      env,
      serialization: 'json',
    });
  } catch (error) {
    // Some errors, such as a lack of memory, are thrown: they concern this process, and not those that run.
    return tell({ kind: 'failed', number, reason: describeStartError(error) });
  }
  children.set(number, child);
  child.on('error', (error) => {
    if (child.pid !== undefined) return;
    children.delete(number);
    tell({ kind: 'failed', number, reason: describeStartError(error) });
  });
  child.on('exit', (code, signal) => {
    children.delete(number);
    tell({ kind: 'exited', number, code, signal });
  });
  if (child.pid !== undefined) tell({ kind: 'spawned', number, pid: child.pid });
}

function obey(request: BirthRequest): void {
  const child = children.get(request.number);
  switch (request.kind) {
    case 'start':
      return start(request);
    case 'send': {
      const socket = new Socket({ fd: request.socket });
      if (child?.connected) child.send(request.message, socket, () => {});
      else socket.destroy();
      return;
    }
    case 'kill':
      child?.kill('SIGKILL');
      return;
  }
}

forbidRings();
parentPort?.on('message', obey);

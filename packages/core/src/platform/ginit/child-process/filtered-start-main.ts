/**
 * The thread of `filtered-start.ts`. It forbids io_uring to itself, and so to everything that it
 * starts, and then starts processes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { forbidRings } from '../../jail/rings.ts';
import { type GuardedIpc, guardIpc } from './guarded-ipc.ts';
import { describeStartError } from './process-start.ts';
import { IPC_NONSENSE } from './running-process.ts';

/** A request to the thread. Descriptors are numbers in the process that the thread belongs to. */
export type BirthRequest =
  | {
      readonly kind: 'start';
      readonly number: number;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      /** The sockets for standard output, standard error and the link. */
      readonly sockets: readonly number[];
      readonly descriptors: readonly number[];
      readonly takesSockets: boolean;
    }
  | { readonly kind: 'send'; readonly number: number; readonly message: object; readonly socket: number }
  | { readonly kind: 'kill'; readonly number: number };

/** A message from the thread. */
export type BirthNotice =
  | { readonly kind: 'spawned'; readonly number: number; readonly pid: number }
  | { readonly kind: 'failed'; readonly number: number; readonly reason: string }
  | {
      readonly kind: 'exited';
      readonly number: number;
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
    };

interface Started {
  readonly child: ChildProcess;
  readonly ipc: GuardedIpc | undefined;
}

const children = new Map<number, Started>();
const tell = (notice: BirthNotice): void => parentPort?.postMessage(notice, []);

function start(request: BirthRequest & { kind: 'start' }): void {
  const { number, args, env, sockets, descriptors, takesSockets } = request;
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, args, {
      stdio: ['ignore', ...sockets, takesSockets ? 'ipc' : 'ignore', ...descriptors],
      env,
      serialization: 'json',
    });
  } catch (error) {
    // Some errors, such as a lack of memory, are thrown. They concern this process only, not those
    // that run.
    return tell({ kind: 'failed', number, reason: describeStartError(error) });
  }
  const nonsense = (): void => tell({ kind: 'failed', number, reason: IPC_NONSENSE });
  let ipc: GuardedIpc | undefined;
  try {
    if (takesSockets) ipc = guardIpc(child, nonsense);
  } catch (error) {
    child.kill('SIGKILL');
    return tell({ kind: 'failed', number, reason: describeStartError(error) });
  }
  children.set(number, { child, ipc });
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
  const started = children.get(request.number);
  switch (request.kind) {
    case 'start':
      return start(request);
    case 'send': {
      const socket = new Socket({ fd: request.socket });
      if (started?.ipc && started.child.connected) started.ipc.send(request.message, socket);
      else socket.destroy();
      return;
    }
    case 'kill':
      started?.child.kill('SIGKILL');
      return;
  }
}

forbidRings();
parentPort?.on('message', obey);

/**
 * A child process of the supervisor, in whichever way it was started, with everything that a domain
 * needs of it.
 */
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
// These are imported, because a process may end while a simulation has replaced the globals.
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { assert } from '../../../errors.ts';
import { type GuardedIpc, guardIpc } from './guarded-ipc.ts';
import { describeStartError, ProcessStartError, startProcess } from './process-start.ts';

/** How to start a process. Its program is Node. */
export interface ProcessStart {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /**
   * Descriptors of ours that it gets as 5, 6 and so on. They are its own once `spawned` is called.
   */
  readonly descriptors: readonly number[];
  /** Whether it may be sent sockets later: then its descriptor 4 is an IPC channel of Node's. */
  readonly takesSockets: boolean;
}

/** Is told of what becomes of a process. */
export interface ProcessObserver {
  /** The process has its descriptors, or there is no process that would need them. */
  spawned(): void;
  failed(reason: string): void;
  /** The process is gone, and everything that it has written was read. */
  closed(code: number | null, signal: NodeJS.Signals | null): void;
}

/** A process that was started, or is about to be. */
export interface RunningProcess {
  /** Unknown until the process is there. */
  readonly pid: number | undefined;
  /** Standard output and error. */
  readonly outputs: readonly Readable[];
  /** The socket at its descriptor 3. */
  readonly socket: Socket;
  /** Sends a message with a socket over its IPC channel. The socket is closed here. */
  send(message: object, socket: Socket): void;
  /** Ends it at once. */
  kill(): void;
}

/** The words for a process whose code has written to its IPC channel. */
export const IPC_NONSENSE = 'is ended, it said nonsense on its descriptor 4';

/** Descriptor of the link, in the process. */
const LINK = 3;

/**
 * When a process is gone, a program that it has started may hold its outputs and write on. This is
 * how long that is read; what is in the pipes then is read too.
 */
const OUTPUT_PATIENCE_MS = 1000;

/**
 * Destroys the streams of a process that has ended, after a while. They end by themselves, unless a
 * program that the process has started holds them as well, and nobody waits for that program.
 */
export function destroyLate(streams: readonly (Readable | Writable | null | undefined)[]): void {
  const patience = setTimeout(() => {
    // Everything that has come meanwhile is read first, even if this thread was busy all that time.
    setImmediate(() => streams.forEach((stream) => stream?.destroy()));
  }, OUTPUT_PATIENCE_MS);
  let open = streams.filter((stream) => stream && !stream.closed);
  for (const stream of open) {
    stream?.once('close', () => {
      open = open.filter((other) => other !== stream);
      if (open.length === 0) clearTimeout(patience);
    });
  }
  if (open.length === 0) clearTimeout(patience);
}

function guarded(child: ChildProcess, observer: ProcessObserver): GuardedIpc {
  try {
    return guardIpc(child, () => {
      observer.failed(IPC_NONSENSE);
      child.kill('SIGKILL');
    });
  } catch (error) {
    child.kill('SIGKILL');
    throw new ProcessStartError(describeStartError(error));
  }
}

/** Starts a process the plain way. Throws `ProcessStartError`. */
export function startPlainly(start: ProcessStart, observer: ProcessObserver): RunningProcess {
  const child = startProcess(process.execPath, start.args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', start.takesSockets ? 'ipc' : 'ignore', ...start.descriptors],
    env: start.env,
    serialization: 'json',
  });
  const ipc = start.takesSockets ? guarded(child, observer) : undefined;
  observer.spawned();
  child.on('exit', () => destroyLate(child.stdio));
  child.on('close', (code, signal) => observer.closed(code, signal));
  child.on('error', (error) => observer.failed(error.message));
  const socket = child.stdio[LINK];
  assert(socket instanceof Socket, 'descriptor 3 is a socket');
  return {
    get pid() {
      return child.pid;
    },
    outputs: [child.stdout, child.stderr].filter((stream) => stream !== null),
    socket,
    send: (message, handle) => {
      assert(ipc !== undefined, 'the process takes sockets');
      ipc.send(message, handle);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

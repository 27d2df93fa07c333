/**
 * Starts processes that have no ring of io_uring. Node makes a ring for each event loop before any
 * code could forbid it, and no filter of system calls sees what goes through a ring. So these
 * processes are born under a filter that forbids rings. A process inherits filters from the thread
 * that starts it, and the supervisor must not have this one, so a thread of its own starts them and
 * does nothing else.
 */
import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { assert } from '../../../errors.ts';
import { jailMeans } from '../../jail/lacks.ts';
import { outside, type SystemCalls } from '../../jail/system-calls.ts';
import type { BirthNotice, BirthRequest } from './filtered-start-main.ts';
import { FORM_FLAGS } from '../../host/form.ts';
import { keepInheritedDescriptors } from './inherited-descriptors.ts';
import { needDescriptors } from './process-start.ts';
import {
  destroyLate,
  type ProcessObserver,
  type ProcessStart,
  type RunningProcess,
} from './running-process.ts';

const FILTERED_START_MAIN = new URL('./filtered-start-main.js', import.meta.url);
const AF_UNIX = 1;
const STREAM_CLOSED_ON_EXECUTION = 1 | 0o2000000;

/** A process as this side knows it. */
class FilteredProcess implements RunningProcess {
  pid: number | undefined;
  readonly outputs: readonly Socket[];
  readonly socket: Socket;
  readonly #starter: Starter;
  readonly #number: number;
  readonly #observer: ProcessObserver;
  readonly #ended: Promise<unknown>;

  constructor(starter: Starter, number: number, near: readonly Socket[], observer: ProcessObserver) {
    const [out, error, link] = near;
    assert(out !== undefined && error !== undefined && link !== undefined, 'it has three sockets');
    this.#starter = starter;
    this.#number = number;
    this.outputs = [out, error];
    this.socket = link;
    this.#observer = observer;
    this.#ended = Promise.all(
      this.outputs.map((each) => new Promise((resolve) => each.once('close', resolve))),
    );
  }

  send(message: object, socket: Socket): void {
    this.#starter.ask({ kind: 'send', number: this.#number, message, socket: this.#starter.take(socket) });
  }

  kill(): void {
    this.#starter.ask({ kind: 'kill', number: this.#number });
  }

  hear(notice: BirthNotice): void {
    switch (notice.kind) {
      case 'spawned':
        this.pid = notice.pid;
        return this.#observer.spawned();
      case 'failed':
        return this.#failed(notice.reason);
      case 'exited':
        return this.#close(notice.code, notice.signal);
    }
  }

  /**
   * A process that failed to start but runs nevertheless would never be heard of again: it is
   * ended.
   */
  #failed(reason: string): void {
    this.#observer.failed(reason);
    if (this.pid === undefined) {
      this.#observer.spawned();
      return this.#close(null, null);
    }
    killIfThere(this.pid);
    this.#close(null, 'SIGKILL');
  }

  #close(code: number | null, signal: NodeJS.Signals | null): void {
    destroyLate(this.outputs);
    void this.#ended.then(() => this.#observer.closed(code, signal));
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** The thread that starts processes. */
class Starter {
  readonly #calls: SystemCalls;
  readonly #worker: Worker;
  readonly #processes = new Map<number, FilteredProcess>();
  #next = 1;

  constructor(calls: SystemCalls) {
    this.#calls = calls;
    this.#worker = new Worker(FILTERED_START_MAIN, { execArgv: [...FORM_FLAGS], name: 'starts processes' });
    // The thread runs our own code, so its messages have this type.
    this.#worker.on('message', (notice: BirthNotice) => {
      this.#processes.get(notice.number)?.hear(notice);
      if (notice.kind !== 'spawned') this.#forget(notice.number);
    });
    this.#worker.on('error', (error: unknown) => this.#end(String(error)));
  }

  start({ args, env, descriptors, takesSockets }: ProcessStart, observer: ProcessObserver): RunningProcess {
    needDescriptors();
    keepInheritedDescriptors();
    const number = this.#next++;
    const pairs = [this.#pair(), this.#pair(), this.#pair()];
    const near = pairs.map(([own]) => new Socket({ fd: own }));
    const far = pairs.map(([, theirs]) => theirs);
    const made = new FilteredProcess(this, number, near, {
      ...observer,
      spawned: () => {
        for (const descriptor of far) this.#calls.call('close', descriptor);
        observer.spawned();
      },
    });
    this.#processes.set(number, made);
    this.#worker.ref();
    this.ask({ kind: 'start', number, args, env, sockets: far, descriptors, takesSockets });
    return made;
  }

  ask(request: BirthRequest): void {
    this.#worker.postMessage(request, []);
  }

  /** Duplicates the descriptor of a socket for the thread, and closes the socket. */
  take(socket: Socket): number {
    const handle: unknown = Reflect.get(socket, '_handle');
    const descriptor: unknown =
      typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
    assert(typeof descriptor === 'number', 'the socket is open');
    const taken = this.#calls.must('dup', descriptor);
    socket.destroy();
    return taken;
  }

  #pair(): [number, number] {
    const pair = outside(8);
    this.#calls.must('socketpair', AF_UNIX, STREAM_CLOSED_ON_EXECUTION, 0, pair);
    return [pair.readInt32LE(0), pair.readInt32LE(4)];
  }

  /** While there are no processes, the thread does not keep ginit alive. */
  #forget(number: number): void {
    this.#processes.delete(number);
    if (this.#processes.size === 0) this.#worker.unref();
  }

  /** The thread has ended, which it never does by itself. */
  #end(reason: string): void {
    if (starter === this) starter = undefined;
    for (const [number, each] of this.#processes) each.hear({ kind: 'failed', number, reason });
    this.#processes.clear();
  }
}

let starter: Starter | undefined;

/** Starts a process without rings. Throws `ProcessStartError`. */
export function startFiltered(start: ProcessStart, observer: ProcessObserver): RunningProcess {
  const means = jailMeans();
  assert(typeof means !== 'string', 'only what will be jailed is started so');
  starter ??= new Starter(means.calls);
  return starter.start(start, observer);
}

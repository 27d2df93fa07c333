/**
 * The worker thread of a component. It may be started ahead: then it loads the runtime while there
 * is nothing else to do, and waits for its component. Each thread runs one component and ends with
 * it.
 */
import { MessageChannel, type MessagePort, type TransferListItem, Worker } from 'node:worker_threads';
import { assert } from '../../errors.ts';
import { useCompiledRuntime } from '../wire/compiled-runtime.ts';
import type { CompiledNotice, LoadStage, WorkerBirth, WorkerInput } from '../wire/worker-protocol.ts';
import { FORM_FLAGS } from '../host/form.ts';
import { memorySwitch } from '../host/memory-switch.ts';

const COMPONENT_MAIN = new URL('../thread/component-main.js', import.meta.url);
const MIB = 1024 * 1024;
/** The part of the process's environment that a thread sees. */
const THREAD_ENVIRONMENT = memorySwitch();

/**
 * How far a thread has loaded: each promise settles when that part is loaded, or when the thread
 * has ended.
 */
export interface Loading {
  readonly runtime: Promise<void>;
  readonly component: Promise<void>;
}

/** The component that a thread runs, and its bound. */
export interface ThreadStart {
  readonly label: string;
  readonly input: WorkerInput;
  /** The objects that move to the thread with its input. */
  readonly transfer: readonly TransferListItem[];
  readonly heapBytes: number | undefined;
}

/** A thread that runs a component, or is waiting for one. */
export class ComponentThread {
  readonly worker: Worker;
  readonly loading: Loading;
  #waitsAt: MessagePort | undefined;

  private constructor(worker: Worker, waitsAt?: MessagePort) {
    this.worker = worker;
    this.loading = watchLoading(worker);
    this.#waitsAt = waitsAt;
  }

  /** Starts a thread for this component. */
  static start({ label, input, transfer, heapBytes }: ThreadStart): ComponentThread {
    return new ComponentThread(makeWorker(label, input, transfer, heapBytes));
  }

  /**
   * Starts a thread for a component that comes later. A bound of its heap can be given only here.
   */
  static ahead(othersFollow: boolean, heapBytes?: number): ComponentThread {
    const { port1, port2 } = new MessageChannel();
    const birth = { waitAt: port2, giveCompiled: othersFollow };
    // The thread closes the port before it imports a component, so only our own code has sent this.
    port1.once('message', ({ compiled }: CompiledNotice) => useCompiledRuntime(compiled));
    return new ComponentThread(makeWorker('component', birth, [port2], heapBytes), port1);
  }

  /** Gives its component to a thread that was started ahead. */
  run({ input, transfer }: ThreadStart): void {
    assert(this.#waitsAt !== undefined, 'it waits for a component');
    this.#waitsAt.postMessage(input, [...transfer]);
    this.#waitsAt = undefined;
  }
}

function makeWorker(
  name: string,
  birth: WorkerBirth,
  transfer: readonly TransferListItem[],
  heapBytes?: number,
): Worker {
  return new Worker(COMPONENT_MAIN, {
    workerData: birth,
    transferList: [...transfer],
    name,
    env: THREAD_ENVIRONMENT,
    stdout: true,
    stderr: true,
    execArgv: [...FORM_FLAGS],
    ...(heapBytes === undefined
      ? {}
      : { resourceLimits: { maxOldGenerationSizeMb: Math.ceil(heapBytes / MIB) } }),
  });
}

function watchLoading(worker: Worker): Loading {
  const settled = (stage: LoadStage): Promise<void> =>
    new Promise((resolve) => {
      worker.on('message', (loaded: unknown) => {
        if (loaded === stage) resolve();
      });
      worker.once('exit', () => resolve());
    });
  return { runtime: settled('runtime'), component: settled('component') };
}

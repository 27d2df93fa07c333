/** The operations on a mount that lives in a worker. */
import { Worker } from 'node:worker_threads';
import { Failure, type FsOperations } from '../promises/index.ts';
import type { AttributeChange } from '../vnode/attributes.ts';
import type { WorkerMount } from './open-image.ts';
import { errorOf, MOUNTED, type WorkerAnswer, type WorkerCall } from './worker-protocol.ts';

/** A worker runs compiled modules, also when this one is run from its source, as in tests. */
const MODULE = import.meta.url.endsWith('.ts') ? '../../dist/node/worker.js' : './worker.js';

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The operations. The worker keeps the process awake only while a call is under way. */
export class WorkerOperations implements FsOperations {
  readonly #worker: Worker;
  readonly #console: (line: string) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = MOUNTED;
  #end: Error | undefined;

  /** Starts the worker, which mounts the image. Rejects if that cannot be. */
  static async start(mount: WorkerMount, console: (line: string) => void): Promise<WorkerOperations> {
    const operations = new WorkerOperations(mount, console);
    await new Promise<unknown>((resolve, reject) =>
      operations.#waiting.set(MOUNTED, { resolve, reject }),
    ).catch(async (error: unknown) => {
      await operations.#worker.terminate();
      throw error;
    });
    return operations;
  }

  private constructor(mount: WorkerMount, console: (line: string) => void) {
    this.#console = console;
    this.#worker = new Worker(new URL(MODULE, import.meta.url), { workerData: mount, stdin: false });
    this.#worker.on('message', (answer: WorkerAnswer) => this.#take(answer));
    this.#worker.on('error', (error) => this.#ended(String(error)));
    this.#worker.on('exit', () => this.#ended('it has ended'));
  }

  open(...args: Parameters<FsOperations['open']>): Promise<number> {
    return this.#call('open', args);
  }

  close(handle: number): Promise<void> {
    return this.#call('close', [handle]);
  }

  async read(handle: number, into: Uint8Array, position: number | null): Promise<number> {
    const call = { name: 'read', handle, lengthBytes: into.length, position } as const;
    const bytes = await this.#send<Uint8Array>((id) => ({ id, ...call }));
    into.set(bytes);
    return bytes.length;
  }

  write(handle: number, from: Uint8Array, position: number | null): Promise<number> {
    return this.#call('write', [handle, from, position]);
  }

  handleFacts(handle: number): ReturnType<FsOperations['handleFacts']> {
    return this.#call('handleFacts', [handle]);
  }

  truncateHandle(handle: number, sizeBytes: number): Promise<void> {
    return this.#call('truncateHandle', [handle, sizeBytes]);
  }

  changeHandle(handle: number, change: AttributeChange): Promise<void> {
    return this.#call('changeHandle', [handle, change]);
  }

  list(...args: Parameters<FsOperations['list']>): ReturnType<FsOperations['list']> {
    return this.#call('list', args);
  }

  readAll(path: string, flags: number): Promise<Uint8Array> {
    return this.#call('readAll', [path, flags]);
  }

  writeAll(...args: Parameters<FsOperations['writeAll']>): Promise<void> {
    return this.#call('writeAll', args);
  }

  facts(path: string, follow: boolean): ReturnType<FsOperations['facts']> {
    return this.#call('facts', [path, follow]);
  }

  change(path: string, change: AttributeChange, follow: boolean): Promise<void> {
    return this.#call('change', [path, change, follow]);
  }

  truncate(path: string, sizeBytes: number): Promise<void> {
    return this.#call('truncate', [path, sizeBytes]);
  }

  listAll(path: string): ReturnType<FsOperations['listAll']> {
    return this.#call('listAll', [path]);
  }

  makeDirectory(path: string, mode: number): Promise<void> {
    return this.#call('makeDirectory', [path, mode]);
  }

  removeDirectory(path: string): Promise<void> {
    return this.#call('removeDirectory', [path]);
  }

  unlink(path: string): Promise<void> {
    return this.#call('unlink', [path]);
  }

  rename(path: string, newPath: string): Promise<void> {
    return this.#call('rename', [path, newPath]);
  }

  link(path: string, newPath: string): Promise<void> {
    return this.#call('link', [path, newPath]);
  }

  symlink(target: string, path: string): Promise<void> {
    return this.#call('symlink', [target, path]);
  }

  readLink(path: string): Promise<string> {
    return this.#call('readLink', [path]);
  }

  realPath(path: string): Promise<string> {
    return this.#call('realPath', [path]);
  }

  volume(): ReturnType<FsOperations['volume']> {
    return this.#call('volume', []);
  }

  sync(): Promise<void> {
    return this.#call('sync', []);
  }

  async unmount(force: boolean): Promise<void> {
    await this.#call('unmount', [force]);
    await this.#worker.terminate();
    this.#end = new Failure('Unmounted', 'the file system is unmounted');
  }

  #call<Name extends Exclude<keyof FsOperations, 'read'>>(
    name: Name,
    args: Parameters<FsOperations[Name]>,
  ): Promise<Awaited<ReturnType<FsOperations[Name]>>> {
    return this.#send((id) => ({ id, name, args }));
  }

  #send<Result>(call: (id: number) => WorkerCall): Promise<Result> {
    if (this.#end) return Promise.reject(this.#end);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<Result>((resolve, reject) => {
      // The worker is our own code, so its answer has this type.
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.#worker.ref();
      this.#worker.postMessage(call(id), []);
    });
  }

  #take(answer: WorkerAnswer): void {
    if ('line' in answer) return this.#console(answer.line);
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('failure' in answer) waiting?.reject(errorOf(answer.failure));
    else waiting?.resolve(answer.result);
  }

  #ended(why: string): void {
    this.#end ??= new Failure('Unmounted', `the worker of the file system: ${why}`);
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }
}

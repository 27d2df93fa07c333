/**
 * Worker threads that run the sources under test: compiled, as they are now, to a directory of its
 * own.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Transferable, Worker } from 'node:worker_threads';

/** Compiled sources of the platform's threads, and workers that load them. */
export class ThreadWorkers implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'ginit-threads-'));
  readonly #workers: Worker[] = [];

  constructor() {
    writeFileSync(join(this.#directory, 'package.json'), '{"type":"module"}');
    symlinkSync(
      fileURLToPath(new URL('../node_modules', import.meta.url)),
      join(this.#directory, 'node_modules'),
    );
    const compiler = createRequire(import.meta.url).resolve('typescript/package.json');
    const source = (path: string): string =>
      fileURLToPath(new URL(`../src/platform/thread/${path}`, import.meta.url));
    const flags =
      '--ignoreConfig --target es2023 --module nodenext --noCheck --rewriteRelativeImportExtensions';
    execFileSync(process.execPath, [
      join(dirname(compiler), 'bin', 'tsc'),
      ...flags.split(' '),
      '--rootDir',
      fileURLToPath(new URL('../src', import.meta.url)),
      '--outDir',
      this.#directory,
      ...['thread-loop.ts', 'ring/ring-carrier.ts', 'memory/memory-travel.ts'].map(source),
    ]);
  }

  /** Starts a worker in `role`; the result is its first message. */
  async run(role: string, data: object, transferList: Transferable[] = []): Promise<unknown> {
    const library = pathToFileURL(join(this.#directory, 'platform')).href;
    const worker = new Worker(new URL('./thread-worker.mjs', import.meta.url), {
      workerData: { ...data, role, library },
      transferList,
    });
    this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`worker exit ${code}`)));
    });
  }

  /** Ends the workers that are still there. */
  async end(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.terminate()));
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

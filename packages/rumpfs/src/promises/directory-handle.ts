/** An open directory, with the methods of Node's `Dir`. */
import { attempting, NodeError } from './node-error.ts';
import type { FsOperations } from './operations.ts';
import { MountedDirent } from './stats.ts';

const ENTRIES = 128;

/** An open directory. */
export class MountedDir {
  /** As it was given. */
  readonly path: string;
  readonly #operations: FsOperations;
  readonly #handle: number;
  #entries: MountedDirent[] = [];
  #cursor: number | undefined = 0;
  #closed = false;

  constructor(operations: FsOperations, handle: number, path: string) {
    this.#operations = operations;
    this.#handle = handle;
    this.path = path;
  }

  /** The next entry; null at the end. */
  async read(): Promise<MountedDirent | null> {
    if (this.#closed) throw new NodeError('EBADF', { syscall: 'readdir', path: this.path });
    while (this.#entries.length === 0 && this.#cursor !== undefined) await this.#more(this.#cursor);
    return this.#entries.pop() ?? null;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await attempting({ syscall: 'closedir', path: this.path }, () => this.#operations.close(this.#handle));
  }

  /** The entries that are left; the directory is closed behind them. */
  async *[Symbol.asyncIterator](): AsyncGenerator<MountedDirent, undefined, undefined> {
    try {
      for (let entry = await this.read(); entry !== null; entry = await this.read()) yield entry;
    } finally {
      await this.close();
    }
    return undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #more(cursor: number): Promise<void> {
    const listing = await attempting({ syscall: 'readdir', path: this.path }, () =>
      this.#operations.list(this.#handle, cursor, ENTRIES),
    );
    this.#cursor = listing.nextCursor;
    // The next one last.
    this.#entries = listing.entries.map((entry) => new MountedDirent(entry, this.path)).toReversed();
  }
}

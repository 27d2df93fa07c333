import { DIRECTORY_ENTRY_BYTES } from '../declaration.ts';
import { encodeDirectoryEntry } from '../directory-entry.ts';
import { fileSystemFailure } from '../names.ts';
import type { BackendListing, BackendNode, FileSystemBackend } from './backend.ts';

const ENTRIES_PER_LIST = 128;

/**
 * The reading of a directory through one handle. Positions in the interface are indexes, those of a
 * file system are cursors that cannot be computed; so the stream remembers what the last index was
 * in the file system's terms, and any other index is counted from the beginning. One READ at a time
 * goes on, in the order in which they came.
 */
export class DirectoryStream<Node extends BackendNode> {
  readonly #directory: Node;
  #index = 0;
  /** Where `#listed` ends; undefined: the directory ends there. */
  #cursor: number | undefined = 0;
  #listed: BackendListing['entries'] = [];
  /** Entries of `#listed` that are behind us. */
  #taken = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: Node) {
    this.#directory = directory;
  }

  /** Fills `into` with entries from byte `position` on. Resolves to the number of bytes. */
  read(backend: FileSystemBackend<Node>, position: number, into: Uint8Array): Promise<number> {
    const reading = this.#last.then(() => this.#read(backend, position, into));
    this.#last = reading.catch(() => undefined);
    return reading;
  }

  async #read(backend: FileSystemBackend<Node>, position: number, into: Uint8Array): Promise<number> {
    const index = position / DIRECTORY_ENTRY_BYTES;
    if (!Number.isSafeInteger(index)) throw fileSystemFailure('Invalid_argument', 'inside a directory entry');
    await this.#seek(backend, index);
    if (this.#index !== index) return 0;
    let length = 0;
    while (length + DIRECTORY_ENTRY_BYTES <= into.length) {
      if (!(await this.#fill(backend))) break;
      length += this.#encode(into.subarray(length));
    }
    return length;
  }

  /** Stops short where the directory ends. */
  async #seek(backend: FileSystemBackend<Node>, index: number): Promise<void> {
    if (index < this.#index) this.#rewind();
    while (this.#index < index && (await this.#fill(backend))) {
      const step = Math.min(index - this.#index, this.#listed.length - this.#taken);
      this.#taken += step;
      this.#index += step;
    }
  }

  #rewind(): void {
    this.#index = 0;
    this.#cursor = 0;
    this.#listed = [];
    this.#taken = 0;
  }

  /** Makes sure that there is an entry to take; false at the end. */
  async #fill(backend: FileSystemBackend<Node>): Promise<boolean> {
    while (this.#taken === this.#listed.length) {
      if (this.#cursor === undefined) return false;
      const { entries, nextCursor } = await backend.list(this.#directory, this.#cursor, ENTRIES_PER_LIST);
      if (entries.length === 0 && nextCursor === this.#cursor) throw fileSystemFailure('Corrupt');
      this.#listed = entries;
      this.#cursor = nextCursor;
      this.#taken = 0;
    }
    return true;
  }

  /** Encodes as many of the listed entries as there is room for; returns their bytes. */
  #encode(into: Uint8Array): number {
    const room = Math.floor(into.length / DIRECTORY_ENTRY_BYTES);
    const taken = this.#listed.slice(this.#taken, this.#taken + room);
    for (const [index, { name, id, type }] of taken.entries()) {
      const at = index * DIRECTORY_ENTRY_BYTES;
      encodeDirectoryEntry({ name, type, inode: id }, into.subarray(at, at + DIRECTORY_ENTRY_BYTES));
    }
    this.#taken += taken.length;
    this.#index += taken.length;
    return taken.length * DIRECTORY_ENTRY_BYTES;
  }
}

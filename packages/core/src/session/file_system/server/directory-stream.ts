import { inLanes } from '../../../async/index.ts';
import { DIRECTORY_ENTRY_BYTES, type NodeStatus, STATUS_ENTRY_BYTES } from '../declaration.ts';
import { encodeDirectoryEntry, encodeStatusEntry, type StatusEntry } from '../directory-entry.ts';
import { fileSystemFailure } from '../names.ts';
import { statusOf } from './node-status.ts';
import type { BackendListing, BackendNode, FileSystemBackend } from './backend.ts';

const ENTRIES_PER_LIST = 128;
/** Statuses that are looked for at a time. */
const STATUSES_UNDER_WAY = 16;

/** How entries of a READ are spelled: with the status of each or without. */
export type EntryForm = 'plain' | 'with-status';

type Listed = BackendListing['entries'][number];

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
  read(
    backend: FileSystemBackend<Node>,
    position: number,
    into: Uint8Array,
    form: EntryForm = 'plain',
  ): Promise<number> {
    const reading = this.#last.then(() => this.#read(backend, position, into, form));
    this.#last = reading.catch(() => undefined);
    return reading;
  }

  async #read(
    backend: FileSystemBackend<Node>,
    position: number,
    into: Uint8Array,
    form: EntryForm,
  ): Promise<number> {
    const entryBytes = form === 'plain' ? DIRECTORY_ENTRY_BYTES : STATUS_ENTRY_BYTES;
    const index = position / entryBytes;
    if (!Number.isSafeInteger(index)) throw fileSystemFailure('Invalid_argument', 'inside a directory entry');
    await this.#seek(backend, index);
    if (this.#index !== index) return 0;
    let length = 0;
    while (length + entryBytes <= into.length) {
      if (!(await this.#fill(backend))) break;
      const room = Math.floor((into.length - length) / entryBytes);
      const taken = this.#listed.slice(this.#taken, this.#taken + room);
      const rest = into.subarray(length);
      if (form === 'plain') encodePlain(taken, rest);
      else await this.#encodeWithStatus(backend, taken, rest);
      this.#taken += taken.length;
      this.#index += taken.length;
      length += taken.length * entryBytes;
    }
    return length;
  }

  async #encodeWithStatus(
    backend: FileSystemBackend<Node>,
    listed: readonly Listed[],
    into: Uint8Array,
  ): Promise<void> {
    const left = listed.entries();
    await inLanes(STATUSES_UNDER_WAY, async () => {
      for (const [index, entry] of left) {
        const { name, type, id } = entry;
        const status = await this.#statusOf(backend, entry);
        const full: StatusEntry = { name, type, inode: id, status };
        const at = index * STATUS_ENTRY_BYTES;
        encodeStatusEntry(full, into.subarray(at, at + STATUS_ENTRY_BYTES));
      }
    });
  }

  /** Undefined if what was listed under that name is not there any more. */
  async #statusOf(
    backend: FileSystemBackend<Node>,
    { name, id, type }: Listed,
  ): Promise<NodeStatus | undefined> {
    let node: Node;
    try {
      node = await backend.lookup(this.#directory, name);
    } catch (error) {
      if (backend.errorCode(error) === 'Lookup_failed') return undefined;
      throw error;
    }
    try {
      const status = await statusOf(backend, node);
      return status.inode === id && status.type === type ? status : undefined;
    } finally {
      await backend.release(node);
    }
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
}

function encodePlain(listed: readonly Listed[], into: Uint8Array): void {
  for (const [index, { name, id, type }] of listed.entries()) {
    const at = index * DIRECTORY_ENTRY_BYTES;
    encodeDirectoryEntry({ name, type, inode: id }, into.subarray(at, at + DIRECTORY_ENTRY_BYTES));
  }
}

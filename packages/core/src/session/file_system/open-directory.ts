import { DIRECTORY_ENTRY_BYTES, type NodeStatus, type OpenMode } from './declaration.ts';
import type { Connection } from './connection.ts';
import { decodeDirectoryEntries, type FileSystemEntry } from './directory-entry.ts';
import { fromNameData, toNameData } from './names.ts';
import { OpenFile } from './open-file.ts';

/**
 * A directory that is open: operations on the names in it, which follow no symbolic link and need
 * no path, however deep the directory lies. Errors are those of the File_system interface; whoever
 * opened it closes it.
 */
export class OpenDirectory implements AsyncDisposable {
  readonly handle: number;
  readonly #connection: Connection;

  constructor(connection: Connection, handle: number) {
    this.#connection = connection;
    this.handle = handle;
  }

  /**
   * The entries in the directory's order. One iteration at a time is cheap: two disturb each other.
   */
  async *entries(): AsyncGenerator<FileSystemEntry, void, void> {
    for (let index = 0; ; ) {
      const batch = await this.entriesFrom(index);
      if (batch.length === 0) return;
      yield* batch;
      index += batch.length;
    }
  }

  /** Some entries from number `index` on; none at the end. Cheap if the last call ended there. */
  entriesFrom(index: number): Promise<FileSystemEntry[]> {
    const position = index * DIRECTORY_ENTRY_BYTES;
    return this.#connection.read(
      this.handle,
      position,
      this.#connection.directoryBytes,
      decodeDirectoryEntries,
    );
  }

  /** Opens a file. `create`: it must not exist yet. */
  async file(name: string, mode: OpenMode, create = false): Promise<OpenFile> {
    const { session } = this.#connection;
    return new OpenFile(this.#connection, await session.file(this.handle, toNameData(name), mode, create));
  }

  /** Opens a directory in this one. `create`: it must not exist yet. */
  async directory(name: string, create = false): Promise<OpenDirectory> {
    const { session } = this.#connection;
    return new OpenDirectory(this.#connection, await session.subdir(this.handle, toNameData(name), create));
  }

  /** The status of an entry; of a symbolic link, its own. */
  stat(name: string): Promise<NodeStatus> {
    return this.#connection.session.stat(this.handle, toNameData(name));
  }

  symlink(name: string, target: string): Promise<void> {
    return this.#connection.session.symlink(this.handle, toNameData(name), toNameData(target));
  }

  async readlink(name: string): Promise<string> {
    return fromNameData(await this.#connection.session.readlink(this.handle, toNameData(name)));
  }

  /** Removes anything but a directory. */
  unlink(name: string): Promise<void> {
    return this.#connection.session.unlink(this.handle, toNameData(name));
  }

  /** Removes an empty directory. */
  rmdir(name: string): Promise<void> {
    return this.#connection.session.rmdir(this.handle, toNameData(name));
  }

  /** Renames, replacing what has the new name as in POSIX. */
  move(name: string, to: OpenDirectory, toName: string): Promise<void> {
    const { session } = this.#connection;
    return session.move(this.handle, toNameData(name), to.handle, toNameData(toName), 'replace');
  }

  /** Gives an open node one more name here. */
  link(node: { readonly handle: number }, name: string): Promise<void> {
    return this.#connection.session.link(node.handle, this.handle, toNameData(name));
  }

  numEntries(): Promise<number> {
    return this.#connection.session.numEntries(this.handle);
  }

  status(): Promise<NodeStatus> {
    return this.#connection.session.status(this.handle);
  }

  close(): Promise<void> {
    return this.#connection.session.close(this.handle);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

import { hasCode } from '../../errors.ts';
import type { Session } from '../../interface/interface.ts';
import { FileSystem, type FileSystemSpace, type NodeStatus, type OpenMode } from './declaration.ts';
import type { SessionOpening } from '../session-opening.ts';
import { closing } from './closing.ts';
import { Connection } from './connection.ts';
import type { FileSystemEntry } from './directory-entry.ts';
import { fileSystemFailure, splitPath, toNameData } from './names.ts';
import { OpenDirectory } from './open-directory.ts';
import { OpenFile } from './open-file.ts';
import { removeAll } from './remove-all.ts';

/** How a File_system session is asked for. */
export interface ConnectFileSystemOptions {
  readonly label?: string;
  /** Bulk buffer: what is under way at a time. */
  readonly bufferBytes?: number | undefined;
  /** A directory below the one that the server's policy gives; `/` unless told. */
  readonly root?: string | undefined;
  readonly writeable?: boolean | undefined;
  /**
   * Called with a new client when the server has ended or is being replaced: see `ReattachOptions`.
   * What was open is closed, and writes that no `sync` followed may be lost with the old server.
   */
  readonly onReattach?: ((client: FileSystemClient) => void | Promise<void>) | undefined;
  readonly onReattachRefused?: ((reason: Error) => void) | undefined;
}

/** How a file is opened. */
export interface OpenFileOptions {
  /** `read-only` unless told. */
  readonly mode?: OpenMode;
  /**
   * Whether the file is made: `never` (as it is unless told), `if-missing`, or `new`: then it must
   * not exist.
   */
  readonly create?: 'never' | 'if-missing' | 'new';
}

/** A node that is watched, until it is closed. */
export interface NodeWatch {
  close(): Promise<void>;
}

/** How many symbolic links at the ends of paths are resolved for one file. */
const SYMLINKS_MAX = 40;
/** Attempts to open or create a file that others make and remove meanwhile. */
const RACES_MAX = 8;

/**
 * A file system by paths, over a File_system session. Paths are absolute. Symbolic links are
 * followed, but not at the end of a path that names what is removed, renamed or made. Every call
 * settles, with an `RpcError` of the interface's codes (`FileSystemErrorCode`) or `PeerGone`; every
 * handle that it opens is closed.
 */
export class FileSystemClient {
  readonly session: Session<typeof FileSystem>;
  readonly #connection: Connection;
  readonly #close: () => Promise<void>;

  /** Takes over the session, its packet stream included. `close` ends the session. */
  constructor(session: Session<typeof FileSystem>, close: () => Promise<void> = async () => undefined) {
    this.session = session;
    this.#connection = new Connection(session);
    this.#close = close;
  }

  /** Opens a session. Rejects with `SessionError`. */
  static async connect(
    env: SessionOpening,
    options: ConnectFileSystemOptions = {},
  ): Promise<FileSystemClient> {
    const { label = '', bufferBytes, root, writeable, onReattach, onReattachRefused } = options;
    const args = {
      ...(bufferBytes === undefined ? {} : { tx_buf_size: bufferBytes }),
      ...(root === undefined ? {} : { root }),
      ...(writeable === undefined ? {} : { writeable }),
    };
    const over = (session: Session<typeof FileSystem>): FileSystemClient =>
      new FileSystemClient(session, async () => void (await env.close(session)));
    const again = onReattach && {
      // A new session that cannot be used is not closed: that would end the healing.
      onReattach: async (session: Session<typeof FileSystem>) => onReattach(over(session)),
    };
    const refused = onReattachRefused && { onReattachRefused };
    const first = await env.connect(FileSystem, { label, args, ...again, ...refused });
    try {
      return over(first);
    } catch (error) {
      await env.close(first).catch(() => {});
      throw error;
    }
  }

  /** Ends the session. What is under way ends with `PeerGone`. */
  close(): Promise<void> {
    return this.#close();
  }

  /** The most that one packet carries: buffers of a few times this keep the server busy. */
  get packetBytes(): number {
    return this.#connection.packetBytes;
  }

  /** Opens a file, to be closed by the caller. See `withFile`. */
  async open(path: string, options: OpenFileOptions = {}): Promise<OpenFile> {
    for (let at = path, links = 0; links <= SYMLINKS_MAX; links++) {
      if (!namesEntry(at)) throw await this.#whyNoFile(at);
      const found = await this.#inParent(at, async (directory, name, mustBeDirectory) => {
        if (mustBeDirectory) throw await this.#whyNoFile(at);
        try {
          return await openIn(directory, name, options);
        } catch (error) {
          if (!hasCode(error, 'Is_a_symlink') || options.create === 'new') throw error;
          return await directory.readlink(name);
        }
      });
      if (found instanceof OpenFile) return found;
      // The server walks this with the directory's own symbolic links, so that `..` in the target
      // is right.
      at = found.startsWith('/') ? found : `${splitPath(at).parent}/${found}`;
    }
    throw fileSystemFailure('Too_many_symlinks');
  }

  /** Opens a file, lends it to `use` and closes it. */
  async withFile<Result>(
    path: string,
    options: OpenFileOptions,
    use: (file: OpenFile) => Promise<Result>,
  ): Promise<Result> {
    return closing(await this.open(path, options), use);
  }

  /** Opens a directory, to be closed by the caller. `create`: it must not exist yet. */
  async openDirectory(path: string, create = false): Promise<OpenDirectory> {
    return new OpenDirectory(this.#connection, await this.session.dir(toNameData(path), create));
  }

  /** Opens a directory, lends it to `use` and closes it. */
  async withDirectory<Result>(
    path: string,
    use: (directory: OpenDirectory) => Promise<Result>,
  ): Promise<Result> {
    return closing(await this.openDirectory(path), use);
  }

  /**
   * The entries of a directory in its own order, without `.` and `..`. Ending the iteration closes
   * it.
   */
  async *readdir(path: string): AsyncGenerator<FileSystemEntry, void, void> {
    const directory = await this.openDirectory(path);
    try {
      yield* directory.entries();
    } finally {
      await directory.close();
    }
  }

  async mkdir(path: string): Promise<void> {
    await (await this.openDirectory(path, true)).close();
  }

  /** Removes an empty directory. */
  rmdir(path: string): Promise<void> {
    return this.#inParent(path, (directory, name) => directory.rmdir(name));
  }

  /** Removes anything but a directory. */
  unlink(path: string): Promise<void> {
    return this.#inParent(path, async (directory, name, mustBeDirectory) => {
      if (mustBeDirectory) throw await this.#whyNoFile(path);
      await directory.unlink(name);
    });
  }

  /** Removes a file, or a directory and all that is below it. See `remove-all.ts`. */
  removeAll(path: string): Promise<void> {
    return this.#inParent(path, async (directory, name) => {
      await directory.stat(name);
      await removeAll(directory, name);
    });
  }

  /** Renames, replacing what has the new name as in POSIX. */
  rename(from: string, to: string): Promise<void> {
    return this.#inParent(from, (directory, name, fromDirectory) =>
      this.#inParent(to, async (toDirectory, toName, intoDirectory) => {
        if (fromDirectory || intoDirectory) {
          const { type } = await directory.stat(name);
          if (type !== 'directory') throw fileSystemFailure('Not_a_directory');
        }
        await directory.move(name, toDirectory, toName);
      }),
    );
  }

  /**
   * Gives the file at `from` the further name `to`. A symbolic link at the end of `from` is linked
   * itself.
   */
  async link(from: string, to: string): Promise<void> {
    const node = await this.#openNode(from, false);
    await closing(node, () =>
      this.#inParent(to, async (directory, name, mustBeDirectory) => {
        if (mustBeDirectory) throw fileSystemFailure('Lookup_failed');
        await directory.link(node, name);
      }),
    );
  }

  /** Makes a symbolic link at `path`. */
  symlink(path: string, target: string): Promise<void> {
    return this.#inParent(path, async (directory, name, mustBeDirectory) => {
      if (mustBeDirectory) throw fileSystemFailure('Lookup_failed');
      await directory.symlink(name, target);
    });
  }

  readlink(path: string): Promise<string> {
    return this.#inParent(path, (directory, name) => directory.readlink(name));
  }

  /** The status of what a path leads to. */
  async stat(path: string): Promise<NodeStatus> {
    return closing(await this.#openNode(path, true), ({ handle }) => this.session.status(handle));
  }

  /** Likewise; of a symbolic link at the path's end, its own. */
  async lstat(path: string): Promise<NodeStatus> {
    return closing(await this.#openNode(path, false), ({ handle }) => this.session.status(handle));
  }

  /** Makes a file shorter, or longer with zeros. */
  truncate(path: string, sizeBytes: number): Promise<void> {
    return this.withFile(path, { mode: 'write-only' }, (file) => file.truncate(sizeBytes));
  }

  /**
   * Watches what a path leads to: `changed` is called once at the beginning, and whenever the node
   * may have changed since (`declaration.ts` says when). It looks itself at what there is to see.
   * What has the path later is another node: who follows a name watches its directory as well.
   */
  async watch(path: string, changed: () => void): Promise<NodeWatch> {
    const handle = await this.session.watch(toNameData(path));
    const end = this.#connection.watch(handle, changed);
    // Word of a change that was sent before we knew the handle has been dropped.
    changed();
    return {
      close: () => {
        end();
        return this.session.close(handle);
      },
    };
  }

  /** A whole file. `Size_limit_reached` if it is larger than `bytesMax`. */
  readFile(path: string, bytesMax: number): Promise<Uint8Array> {
    return this.withFile(path, {}, async (file) => {
      const { sizeBytes } = await file.status();
      if (sizeBytes > bytesMax) throw fileSystemFailure('Size_limit_reached', `more than ${bytesMax} bytes`);
      const content = new Uint8Array(sizeBytes);
      return content.subarray(0, await file.read(0, content));
    });
  }

  /** Makes `content` the whole of a file, which is created if it is missing. */
  writeFile(path: string, content: Uint8Array): Promise<void> {
    return this.withFile(path, { mode: 'write-only', create: 'if-missing' }, async (file) => {
      await file.truncate(0);
      await file.write(0, content);
    });
  }

  /** Settles when every write that was acknowledged is on stable storage. */
  sync(): Promise<void> {
    return this.#connection.sync();
  }

  space(): Promise<FileSystemSpace> {
    return this.session.space();
  }

  async #openNode(
    path: string,
    follow: boolean,
  ): Promise<{ readonly handle: number; close(): Promise<void> }> {
    const handle = await this.session.node(toNameData(path), follow);
    return { handle, close: () => this.session.close(handle) };
  }

  /**
   * Lends the directory above a path's last name. `Invalid_name` if there is none, as in `/` or
   * `/a/..`.
   */
  async #inParent<Result>(
    path: string,
    use: (directory: OpenDirectory, name: string, mustBeDirectory: boolean) => Promise<Result>,
  ): Promise<Result> {
    const { parent, name, directory } = splitPath(path);
    if (!path.startsWith('/') || !namesEntry(path)) {
      throw fileSystemFailure('Invalid_name', `"${path}" names no entry of a directory`);
    }
    return this.withDirectory(parent, (opened) => use(opened, name, directory));
  }

  /** The error for a path that turns out to be one of a directory, found by looking at it. */
  async #whyNoFile(path: string): Promise<Error> {
    await this.withDirectory(path, async () => undefined);
    return fileSystemFailure('Is_a_directory');
  }
}

/** Whether a path ends with a name that stands in a directory. */
function namesEntry(path: string): boolean {
  const { name } = splitPath(path);
  return name !== '' && name !== '.' && name !== '..';
}

async function openIn(directory: OpenDirectory, name: string, options: OpenFileOptions): Promise<OpenFile> {
  const { mode = 'read-only', create = 'never' } = options;
  if (create === 'new') return directory.file(name, mode, true);
  for (let attempt = 1; ; attempt++) {
    try {
      return await directory.file(name, mode);
    } catch (error) {
      if (create === 'never' || !hasCode(error, 'Lookup_failed')) throw error;
    }
    try {
      return await directory.file(name, mode, true);
    } catch (error) {
      if (attempt === RACES_MAX || !hasCode(error, 'Node_already_exists')) throw error;
    }
  }
}

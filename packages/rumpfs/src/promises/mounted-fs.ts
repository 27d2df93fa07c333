/**
 * A mounted file system with the methods of Node's `fs.promises`: the same arguments, results and
 * errors (Node's documentation, "Promises API"), over the operations of this thread or of a worker.
 */
import {
  bytesOf,
  decoded,
  encodingOf,
  isWriteable,
  type Mode,
  modeNumber,
  normalPath,
  type PathLike,
  pathText,
  type WriteableData,
} from './arguments.ts';
import { AttributeCalls } from './attribute-calls.ts';
import { type FileChange, hearing } from './change-watch.ts';
import { CONSTANTS, flagsNumber } from './constants.ts';
import { copyContent, copyTree, type CopyOptions } from './copy-tree.ts';
import { MountedDir } from './directory-handle.ts';
import { MountedFileHandle } from './file-handle.ts';
import { attempting, isNodeError, NodeError } from './node-error.ts';
import type { FsOperations, VolumeFacts } from './operations.ts';
import type { MountedDirent } from './stats.ts';
import { listTree, makeWay, randomName, removeTree } from './trees.ts';

const FILE_MODE = 0o666;
const DIRECTORY_MODE = 0o777;
const NAMES_TRIED = 100;

type Text = BufferEncoding | { readonly encoding?: BufferEncoding | null } | null;

/** What `readFile` takes. */
export interface ReadFileOptions {
  readonly encoding?: BufferEncoding | null;
  readonly flag?: string | number;
  readonly signal?: AbortSignal;
}

/** What `writeFile` and `appendFile` take. */
export interface WriteFileOptions {
  readonly encoding?: BufferEncoding | null;
  readonly mode?: Mode;
  readonly flag?: string | number;
  /** Whether the data is durable when the promise resolves. */
  readonly flush?: boolean;
  readonly signal?: AbortSignal;
}

/** What belongs to an open file system. */
export interface MountedFsParts {
  readonly operations: FsOperations;
  readonly facts: VolumeFacts;
  /** Fills memory with random bytes, for names that are made up. */
  readonly random: (into: Uint8Array) => void;
}

/** An open file system. */
export class MountedFs extends AttributeCalls {
  readonly constants = CONSTANTS;
  readonly #random: (into: Uint8Array) => void;

  constructor({ operations, facts, random }: MountedFsParts) {
    super(operations, facts);
    this.#random = random;
  }

  /** Whether the format has permissions and owners. */
  get keepsPermissions(): boolean {
    return this.type !== 'msdos' && this.type !== 'exfat';
  }

  async readFile(
    path: PathLike | MountedFileHandle,
    options?: (ReadFileOptions & { readonly encoding?: null }) | null,
  ): Promise<Buffer>;
  async readFile(
    path: PathLike | MountedFileHandle,
    options: BufferEncoding | (ReadFileOptions & { readonly encoding: BufferEncoding }),
  ): Promise<string>;
  async readFile(
    path: PathLike | MountedFileHandle,
    options?: BufferEncoding | ReadFileOptions | null,
  ): Promise<Buffer | string>;
  async readFile(
    path: PathLike | MountedFileHandle,
    options?: BufferEncoding | ReadFileOptions | null,
  ): Promise<Buffer | string> {
    const { flag = 'r', signal } = typeof options === 'object' && options !== null ? options : {};
    if (path instanceof MountedFileHandle) return path.readFile(handleOptions(options));
    const text = pathText(path);
    signal?.throwIfAborted();
    const flags = flagsNumber(flag);
    const bytes = await attempting({ syscall: 'open', path: text }, () =>
      this.operations.readAll(text, flags),
    ).catch((error: unknown) => {
      // A directory can be opened, and then not be read.
      throw isNodeError(error, 'EISDIR') ? new NodeError('EISDIR', { syscall: 'read' }, error.cause) : error;
    });
    signal?.throwIfAborted();
    return decoded(bytes, encodingOf<BufferEncoding>(options));
  }

  async writeFile(
    path: PathLike | MountedFileHandle,
    data: WriteableData,
    options?: BufferEncoding | WriteFileOptions | null,
  ): Promise<void> {
    return this.#write(path, data, options, 'w');
  }

  async appendFile(
    path: PathLike | MountedFileHandle,
    data: WriteableData,
    options?: BufferEncoding | WriteFileOptions | null,
  ): Promise<void> {
    return this.#write(path, data, options, 'a');
  }

  async open(path: PathLike, flags: string | number = 'r', mode?: Mode): Promise<MountedFileHandle> {
    const text = pathText(path);
    const [number, bits] = [flagsNumber(flags), modeNumber(mode, FILE_MODE)];
    const open = (): Promise<number> => this.operations.open(text, number, bits);
    const handle = await attempting({ syscall: 'open', path: text }, open);
    if ((number & CONSTANTS.O_CREAT) !== 0) this.tell('rename', text);
    const changed = (): void => this.tell('change', text);
    return new MountedFileHandle({ operations: this.operations, handle, changed });
  }

  async opendir(path: PathLike, _options?: object): Promise<MountedDir> {
    const text = pathText(path);
    const open = (): Promise<number> => this.operations.open(text, CONSTANTS.O_DIRECTORY, 0);
    const handle = await attempting({ syscall: 'opendir', path: text }, open);
    return new MountedDir(this.operations, handle, text);
  }

  async readdir(
    path: PathLike,
    options?:
      | (Text & object)
      | BufferEncoding
      | { readonly withFileTypes?: false; readonly recursive?: boolean }
      | null,
  ): Promise<string[]>;
  async readdir(
    path: PathLike,
    options: { readonly withFileTypes: true; readonly recursive?: boolean },
  ): Promise<MountedDirent[]>;
  async readdir(
    path: PathLike,
    options?: Text | { readonly withFileTypes?: boolean; readonly recursive?: boolean } | null,
  ): Promise<string[] | MountedDirent[]> {
    const text = pathText(path);
    const wishes = typeof options === 'object' && options !== null ? options : {};
    const recursive = 'recursive' in wishes && wishes.recursive === true;
    const { found, names } = await listTree(this.operations, text, recursive);
    return 'withFileTypes' in wishes && wishes.withFileTypes === true ? found : names;
  }

  async mkdir(
    path: PathLike,
    options?: Mode | { readonly recursive?: false; readonly mode?: Mode } | null,
  ): Promise<undefined>;
  async mkdir(
    path: PathLike,
    options: { readonly recursive: true; readonly mode?: Mode },
  ): Promise<string | undefined>;
  async mkdir(
    path: PathLike,
    options?: Mode | { readonly recursive?: boolean; readonly mode?: Mode } | null,
  ): Promise<string | undefined> {
    const text = pathText(path);
    const { recursive = false, mode } =
      typeof options === 'object' && options !== null ? options : { mode: options };
    const bits = modeNumber(mode, DIRECTORY_MODE);
    if (recursive) return makeWay(this, text, bits);
    await this.#change('mkdir', text, () => this.operations.makeDirectory(text, bits));
    return undefined;
  }

  /** Makes a directory with a new name that begins so; resolves to its path. */
  async mkdtemp(prefix: string, _options?: Text): Promise<string> {
    for (let tried = 1; ; tried += 1) {
      const path = `${pathText(prefix, 'prefix')}${randomName(this.#random)}`;
      try {
        await this.#change('mkdtemp', path, () => this.operations.makeDirectory(path, 0o700));
        return path;
      } catch (error) {
        if (tried === NAMES_TRIED || !isNodeError(error, 'EEXIST')) throw error;
      }
    }
  }

  async rmdir(path: PathLike): Promise<void> {
    const text = pathText(path);
    await this.#change('rmdir', text, () => this.operations.removeDirectory(text));
  }

  async unlink(path: PathLike): Promise<void> {
    const text = pathText(path);
    await this.#change('unlink', text, () => this.operations.unlink(text));
  }

  /** Removes a file, or with `recursive` a tree. */
  async rm(
    path: PathLike,
    options: { readonly recursive?: boolean; readonly force?: boolean } = {},
  ): Promise<void> {
    const text = pathText(path);
    const { recursive = false, force = false } = options;
    try {
      const stats = await this.lstat(text);
      if (!stats.isDirectory()) await this.unlink(text);
      else if (recursive) await removeTree(this, text);
      else {
        const message = `Path is a directory: rm returned EISDIR (is a directory) ${text}`;
        throw Object.assign(new Error(message), {
          code: 'ERR_FS_EISDIR',
          path: text,
          syscall: 'rm',
          errno: 21,
        });
      }
    } catch (error) {
      if (!force || !isNodeError(error, 'ENOENT')) throw error;
    }
  }

  async rename(path: PathLike, newPath: PathLike): Promise<void> {
    const [from, to] = [pathText(path, 'oldPath'), pathText(newPath, 'newPath')];
    const attempt = { syscall: 'rename', path: from, dest: to };
    await attempting(attempt, () => this.operations.rename(from, to));
    this.tell('rename', from);
    this.tell('rename', to);
  }

  async link(path: PathLike, newPath: PathLike): Promise<void> {
    const [from, to] = [pathText(path, 'existingPath'), pathText(newPath, 'newPath')];
    await attempting({ syscall: 'link', path: from, dest: to }, () => this.operations.link(from, to));
    this.tell('rename', to);
  }

  async symlink(target: PathLike, path: PathLike, _type?: string | null): Promise<void> {
    const [to, text] = [pathText(target, 'target'), pathText(path)];
    await attempting({ syscall: 'symlink', path: to, dest: text }, () => this.operations.symlink(to, text));
    this.tell('rename', text);
  }

  async readlink(path: PathLike, options?: Text): Promise<string> {
    const text = pathText(path);
    void options;
    return attempting({ syscall: 'readlink', path: text }, () => this.operations.readLink(text));
  }

  async realpath(path: PathLike, options?: Text): Promise<string> {
    const text = pathText(path);
    void options;
    return attempting({ syscall: 'realpath', path: text }, () => this.operations.realPath(text));
  }

  async truncate(path: PathLike, length = 0): Promise<void> {
    const text = pathText(path);
    await attempting({ syscall: 'open', path: text }, () =>
      this.operations.truncate(text, Math.max(0, length)),
    );
    this.tell('change', text);
  }

  async copyFile(source: PathLike, destination: PathLike, mode = 0): Promise<void> {
    const [from, to] = [pathText(source, 'src'), pathText(destination, 'dest')];
    try {
      await copyContent(this, from, to, (mode & CONSTANTS.COPYFILE_EXCL) !== 0);
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      throw new NodeError(error.code, { syscall: 'copyfile', path: from, dest: to }, error.cause);
    }
  }

  /** Copies a file or, with `recursive`, a tree. */
  async cp(source: PathLike, destination: PathLike, options: CopyOptions = {}): Promise<void> {
    await copyTree(this, pathText(source, 'src'), pathText(destination, 'dest'), options);
  }

  /**
   * The changes that are made through this object, by the paths that are used for them: of a file,
   * of the entries of a directory, with `recursive` of all below it. Nothing is watched on the
   * device itself.
   */
  async *watch(
    path: PathLike,
    options: { readonly recursive?: boolean; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<FileChange, undefined, undefined> {
    const text = pathText(path);
    await this.facts('watch', text, true);
    const hears = hearing(normalPath(text), options.recursive === true);
    return yield* this.changes.watch(hears, options.signal);
  }

  /** The format, the label and the sizes of the whole file system. */
  volume(): Promise<VolumeFacts> {
    return attempting({ syscall: 'statfs' }, () => this.operations.volume());
  }

  /** Resolves when every change that was acknowledged is durable. */
  sync(): Promise<void> {
    return attempting({ syscall: 'syncfs' }, () => this.operations.sync());
  }

  /**
   * Leaves a clean file system, and gives the device up. Rejects with `EBUSY` while files are open,
   * unless `force` closes them.
   */
  async unmount({ force = false }: { readonly force?: boolean } = {}): Promise<void> {
    await attempting({ syscall: 'umount' }, () => this.operations.unmount(force));
    this.changes.end();
  }

  /** Unmounts; files that are open are closed. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.unmount({ force: true });
  }

  async #write(
    path: PathLike | MountedFileHandle,
    data: WriteableData,
    options: BufferEncoding | WriteFileOptions | null | undefined,
    fallback: string,
  ): Promise<void> {
    const wishes = typeof options === 'object' && options !== null ? options : {};
    const { flag = fallback, flush = false, mode, signal } = wishes;
    if (path instanceof MountedFileHandle) return path.writeFile(data, handleOptions(options));
    const text = pathText(path);
    signal?.throwIfAborted();
    if (isWriteable(data)) {
      const bytes = bytesOf(data, encodingOf<BufferEncoding>(options) ?? 'utf8');
      const [flags, bits] = [flagsNumber(flag), modeNumber(mode, FILE_MODE)];
      const write = (): Promise<void> => this.operations.writeAll(text, flags, bits, bytes);
      await attempting({ syscall: 'open', path: text }, write);
      this.tell('change', text);
    } else {
      await using file = await this.open(text, flag, mode);
      await file.writeFile(data, handleOptions(options));
    }
    if (flush) await this.sync();
  }

  async #change(syscall: string, path: string, work: () => Promise<void>): Promise<void> {
    await attempting({ syscall, path }, work);
    this.tell('rename', path);
  }
}

/** The options of a file handle in those of a path. */
function handleOptions(options: BufferEncoding | ReadFileOptions | null | undefined): {
  encoding?: BufferEncoding | null;
  signal?: AbortSignal;
} {
  if (typeof options !== 'object' || options === null) return { encoding: options ?? null };
  const { encoding = null, signal } = options;
  return signal ? { encoding, signal } : { encoding };
}

/**
 * A granted directory of the host. No name leads out of it: each element of a name is opened within
 * the directory before it, by way of `/proc/self/fd` (Node has no `openat`), and no link is
 * followed. So moving directories or making links meanwhile does not help anybody to get out. Where
 * there is no `/proc`, the elements are checked one by one before the path is used, which is safe
 * only while no other program changes the directory.
 */
import { close, constants, open as openCallback, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, rename, rmdir, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { RpcError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import {
  checkAccess,
  type HostDirectory,
  type HostEntry,
  type HostEntryStatus,
  type HostErrorCode,
  type HostFile,
  type HostOpenOptions,
  type HostPlace,
} from '../../../runtime/host-access.ts';
import { atPlace, pathOfDescriptor } from '../../host/granted-place.ts';
import { hostError } from '../../host/host-error.ts';
import { openNodeFileWithin } from './node-file.ts';
import type { OpenThings } from './open-things.ts';

const openDescriptor = promisify(openCallback);
const closeDescriptor = promisify(close);

const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY;
/**
 * Opening a pipe must not block a thread of the pool, and a terminal must not become the
 * controlling terminal of the process.
 */
const FILE_FLAGS = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const NEW_FILE_MODE = 0o666;
const NAME_CHARACTERS_MAX = 4096;
const HAS_PROC = process.platform === 'linux';

/** The state that a directory shares with the other open things of its driver. */
export interface DirectoryParts {
  readonly things: OpenThings;
  /** Makes the object that the driver gets from a file that was opened. */
  readonly opened: (file: HostFile) => HostFile;
}

/** Opens a granted directory. */
export async function openNodeDirectory(
  { target, path }: HostPlace,
  access: 'ro' | 'rw',
  parts: DirectoryParts,
): Promise<HostDirectory> {
  const closed = parts.things.add();
  try {
    // A plain number, because a `FileHandle` that a driver forgets is closed by the collector, with
    // a warning.
    const root = await atPlace({ target, path }, 'directory', (place) =>
      openDescriptor(place, DIRECTORY_FLAGS),
    );
    return new NodeDirectory(root, { target, path }, access === 'rw', parts, closed);
  } catch (error) {
    closed();
    throw error instanceof RpcError ? error : hostError(error, path, 'directory');
  }
}

/** The directory that a name leads into, and the name of the thing in it. */
interface Within {
  readonly directory: string;
  readonly name: string;
}

class NodeDirectory implements HostDirectory {
  readonly writeable: boolean;
  readonly #root: number;
  readonly #place: HostPlace;
  readonly #parts: DirectoryParts;
  readonly #closed: () => void;
  #open = true;
  /** Operations under way. The descriptor is closed after them. */
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(root: number, place: HostPlace, writeable: boolean, parts: DirectoryParts, closed: () => void) {
    this.#root = root;
    this.#place = place;
    this.writeable = writeable;
    this.#parts = parts;
    this.#closed = closed;
  }

  list(name = ''): Promise<HostEntry[]> {
    // The directory that is listed is opened itself: the last element is `.`, which only this call
    // may use.
    return this.#within(name, [...elementsOf(name, this.#place.path), '.'], ({ directory }) =>
      listDirectory(directory, this.#named(name)),
    );
  }

  status(name: string): Promise<HostEntryStatus> {
    return this.#at(name, async ({ directory, name: last }) => {
      const stats = await lstat(`${directory}/${last}`);
      return { kind: kindOf(stats), sizeBytes: stats.size, modifiedMs: Math.floor(stats.mtimeMs) };
    });
  }

  async openFile(name: string, access: 'ro' | 'rw', options: HostOpenOptions = {}): Promise<HostFile> {
    checkAccess(access);
    const { create = false, truncate = false } = options;
    if (access === 'rw' || create || truncate) this.#mustBeWriteable();
    if (access === 'ro' && (create || truncate))
      throw failure(
        'AccessDenied',
        `file "${this.#named(name)}": it is made or emptied with access "rw" only`,
      );
    const flags =
      (access === 'rw' ? constants.O_RDWR : constants.O_RDONLY) |
      (create ? constants.O_CREAT : 0) |
      (truncate ? constants.O_TRUNC : 0);
    const closed = this.#parts.things.add();
    try {
      return await this.#at(name, async ({ directory, name: last }) => {
        const how = { access, flags: flags | FILE_FLAGS, mode: NEW_FILE_MODE };
        const file = await openNodeFileWithin(`${directory}/${last}`, this.#named(name), how, closed);
        return this.#parts.opened(file);
      });
    } catch (error) {
      closed();
      throw error;
    }
  }

  async makeDirectory(name: string): Promise<void> {
    this.#mustBeWriteable();
    await this.#at(name, ({ directory, name: last }) => mkdir(`${directory}/${last}`));
  }

  async remove(name: string): Promise<void> {
    this.#mustBeWriteable();
    await this.#at(name, async ({ directory, name: last }) => {
      const path = `${directory}/${last}`;
      return (await lstat(path)).isDirectory() ? rmdir(path) : unlink(path);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    this.#mustBeWriteable();
    await this.#at(from, (source) =>
      this.#at(to, (target) =>
        rename(`${source.directory}/${source.name}`, `${target.directory}/${target.name}`),
      ),
    );
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await Promise.allSettled(this.#underWay);
    await closeDescriptor(this.#root).catch(() => {});
    this.#closed();
  }

  #named(name: string): string {
    return name === '' ? this.#place.path : `${this.#place.path}/${name}`;
  }

  #mustBeWriteable(): void {
    if (this.writeable) return;
    const { path } = this.#place;
    throw failure('NotGranted', `<host> grants the directory "${path}" for reading only (access="ro")`);
  }

  /** Calls `action` with the place that `name` says. It may not be the directory itself. */
  async #at<Result>(name: string, action: (within: Within) => Promise<Result>): Promise<Result> {
    const elements = elementsOf(name, this.#place.path);
    if (elements.length === 0) throw failure('Unsupported', `"${this.#place.path}" is the directory itself`);
    return this.#within(name, elements, action);
  }

  async #within<Result>(
    name: string,
    elements: readonly string[],
    action: (within: Within) => Promise<Result>,
  ): Promise<Result> {
    if (!this.#open) throw failure('Closed', `directory "${this.#place.path}" is closed`);
    const done = this.#walk(elements, action).catch((error: unknown) => {
      throw error instanceof RpcError ? error : hostError(error, this.#named(name));
    });
    this.#underWay.add(done);
    const forget = (): void => void this.#underWay.delete(done);
    done.then(forget, forget);
    return done;
  }

  async #walk<Result>(
    elements: readonly string[],
    action: (within: Within) => Promise<Result>,
  ): Promise<Result> {
    const last = elements.at(-1) ?? '.';
    const opened: FileHandle[] = [];
    let directory = HAS_PROC ? pathOfDescriptor(this.#root) : this.#place.target;
    try {
      for (const element of elements.slice(0, -1)) {
        const next = `${directory}/${element}`;
        if (HAS_PROC) {
          const handle = await openWithin(next, this.#place.path, element);
          opened.push(handle);
          directory = pathOfDescriptor(handle.fd);
        } else {
          if ((await lstat(next)).isSymbolicLink()) throw throughLink(this.#place.path, element);
          directory = next;
        }
      }
      return await action({ directory, name: last });
    } finally {
      for (const handle of opened) await handle.close().catch(() => {});
    }
  }
}

/**
 * Opens a directory in one that is open. If it is a link, the kernel gives the same error as for a
 * file.
 */
async function openWithin(path: string, root: string, element: string): Promise<FileHandle> {
  try {
    return await open(path, DIRECTORY_FLAGS | constants.O_NOFOLLOW);
  } catch (error) {
    const link = await lstat(path).then(
      (stats) => stats.isSymbolicLink(),
      () => false,
    );
    throw link ? throughLink(root, element) : error;
  }
}

function throughLink(root: string, element: string): RpcError {
  return failure('Escapes', `"${element}" in the directory "${root}" is a link: links are not followed`);
}

/** The elements of a name; none if the name means the directory itself. */
function elementsOf(name: string, root: string): string[] {
  if (name === '') return [];
  const problem = nameProblem(name);
  if (problem === undefined) return name.split('/');
  const shown = JSON.stringify(name.slice(0, 200));
  throw failure('Escapes', `${shown} is no name in the directory "${root}": ${problem}`);
}

function nameProblem(name: string): string | undefined {
  if (name.length > NAME_CHARACTERS_MAX) return 'it is too long';
  if (name.includes('\0')) return 'it holds a NUL';
  if (name.startsWith('/')) return 'it is absolute';
  for (const element of name.split('/')) {
    if (element === '' || element === '.' || element === '..') return `it has an element "${element}"`;
  }
  return undefined;
}

async function listDirectory(path: string, named: string): Promise<HostEntry[]> {
  const entries: HostEntry[] = [];
  for await (const entry of await opendir(path)) {
    if (entries.length >= LIMITS.hostDirectoryEntries)
      throw failure(
        'LimitExceeded',
        `directory "${named}" has more than ${LIMITS.hostDirectoryEntries} entries`,
      );
    entries.push({ name: entry.name, kind: kindOf(entry) });
  }
  return entries;
}

function kindOf(stats: Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): HostEntry['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'link' : 'other';
}

function failure(code: HostErrorCode, text: string): RpcError<HostErrorCode> {
  return new RpcError(code, text);
}

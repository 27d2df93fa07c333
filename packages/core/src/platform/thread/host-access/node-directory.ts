/**
 * A granted directory of the host. No name leads out of it: each element of a name is opened within the directory before it,
 * by way of `/proc/self/fd` (Node has no `openat`), and no link is followed; so nobody who moves directories or makes links
 * meanwhile changes that. Where there is no `/proc` the elements are looked at one by one before the path is used, which only
 * holds while nobody else changes the directory.
 */
import { close, constants, open as openCallback, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, rename, rmdir, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { RpcError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type {
  HostDirectory,
  HostEntry,
  HostEntryStatus,
  HostErrorCode,
  HostFile,
  HostOpenOptions,
  HostPlace,
} from '../../../runtime/host-access.ts';
import { atPlace, pathOfDescriptor } from '../../host/granted-place.ts';
import { hostError } from '../../host/host-error.ts';
import { openNodeFileWithin } from './node-file.ts';
import type { OpenThings } from './open-things.ts';

const openDescriptor = promisify(openCallback);
const closeDescriptor = promisify(close);

const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY;
/** A pipe must not stop a thread of the pool, a terminal not become that of the process. */
const FILE_FLAGS = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const NEW_FILE_MODE = 0o666;
const NAME_CHARACTERS_MAX = 4096;
const HAS_PROC = process.platform === 'linux';

/** What a directory shares with what else its driver has open. */
export interface DirectoryParts {
  readonly things: OpenThings;
  /** Makes of an opened file what the driver gets. */
  readonly opened: (file: HostFile) => HostFile;
}

/** Opens a directory. */
export async function openNodeDirectory(
  { target, path }: HostPlace,
  access: 'ro' | 'rw',
  parts: DirectoryParts,
): Promise<HostDirectory> {
  const closed = parts.things.add();
  try {
    // A plain number: a `FileHandle` that a driver forgets is closed by the collector, with a warning.
    const root = await atPlace({ target, path }, 'directory', (place) =>
      openDescriptor(place, DIRECTORY_FLAGS),
    );
    return new NodeDirectory(root, { target, path }, access === 'rw', parts, closed);
  } catch (error) {
    closed();
    throw error instanceof RpcError ? error : hostError(error, path, 'directory');
  }
}

/** A directory on the way to something, and the name of that in it. */
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
  /** Operations under way: the descriptor is closed after them. */
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(root: number, place: HostPlace, writeable: boolean, parts: DirectoryParts, closed: () => void) {
    this.#root = root;
    this.#place = place;
    this.writeable = writeable;
    this.#parts = parts;
    this.#closed = closed;
  }

  list(name = ''): Promise<HostEntry[]> {
    // The directory that is listed is entered itself: its last element is `.`, which this alone may name.
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

  /** Does something with what `name` says, which may not be the directory itself. */
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

/** A directory in one that is open; the kernel says the same of a link as of a file. */
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

/** The elements of a name; none for the directory itself. */
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

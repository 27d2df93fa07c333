/**
 * A granted file of the host, over Node's asynchronous file API: many operations at once, in
 * libuv's pool.
 */
import { close, constants, fstat, fsync, open, read, type Stats, write } from 'node:fs';
import { promisify } from 'node:util';
import { RpcError } from '../../../errors.ts';
import type { HostErrorCode, HostFile } from '../../../runtime/host-access.ts';
import { lockForWriting } from './file-lock.ts';
import { atPlace } from '../../host/granted-place.ts';
import { hostError } from '../../host/host-error.ts';

const openFile = promisify(open);
const statFile = promisify(fstat);
const syncFile = promisify(fsync);
const closeFile = promisify(close);

/**
 * Opens a file in a directory. It may be anything by now, but only operations of files are done
 * with it.
 */
export async function openNodeFileWithin(
  target: string,
  path: string,
  { access, flags, mode }: { access: 'ro' | 'rw'; flags: number; mode: number },
  closed: () => void,
): Promise<HostFile> {
  const descriptor = await openFile(target, flags, mode);
  try {
    const stats = await statFile(descriptor);
    if (!stats.isFile()) throw new RpcError<HostErrorCode>('Unsupported', `"${path}" is no regular file`);
    return new NodeFile(descriptor, path, access === 'rw', stats, closed);
  } catch (error) {
    await closeFile(descriptor).catch(() => {});
    throw error;
  }
}

/** Is told of what becomes of a file. */
export interface FileObserver {
  /** The file could not be locked, for this reason. */
  readonly lack?: (text: string) => void;
  /** The file was open, and is closed now. */
  readonly closed?: () => void;
}

/**
 * Opens `target`. Errors call it `path`, as the config does. A file that is opened for writing is
 * locked.
 */
export async function openNodeFile(
  target: string,
  path: string,
  access: 'ro' | 'rw',
  { lack = () => {}, closed = () => {} }: FileObserver = {},
): Promise<HostFile> {
  let descriptor: number | undefined;
  try {
    const flags = access === 'rw' ? constants.O_RDWR : constants.O_RDONLY;
    descriptor = await atPlace({ target, path }, 'file', (place) => openFile(place, flags));
    const stats = await statFile(descriptor);
    if (stats.isDirectory()) {
      throw new RpcError<HostErrorCode>('Unsupported', `file "${path}" is a directory`);
    }
    const unlocked =
      access === 'rw' ? lockForWriting({ descriptor, device: stats.dev, inode: stats.ino }, path) : undefined;
    if (unlocked !== undefined) lack(unlocked);
    return new NodeFile(descriptor, path, access === 'rw', stats, closed);
  } catch (error) {
    if (descriptor !== undefined) await closeFile(descriptor).catch(() => {});
    throw error instanceof RpcError ? error : hostError(error, path);
  }
}

/** An open file of the host. */
class NodeFile implements HostFile {
  readonly writeable: boolean;
  readonly sizeBytes: number;
  readonly #descriptor: number;
  readonly #path: string;
  readonly #closed: () => void;
  #open = true;

  constructor(descriptor: number, path: string, writeable: boolean, stats: Stats, closed = (): void => {}) {
    this.#closed = closed;
    this.#descriptor = descriptor;
    this.#path = path;
    this.writeable = writeable;
    this.sizeBytes = stats.size;
  }

  read(into: Uint8Array, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let done = 0;
      const next = (): void => {
        if (!this.#open) return reject(this.#isClosed());
        read(this.#descriptor, into, done, into.byteLength - done, position + done, (error, count) => {
          if (error) return reject(hostError(error, this.#path));
          done += count;
          if (done === into.byteLength) return resolve();
          if (count === 0) return reject(this.#endOfFile(position + done));
          return next();
        });
      };
      next();
    });
  }

  write(from: Uint8Array, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let done = 0;
      const next = (): void => {
        if (!this.#open) return reject(this.#isClosed());
        write(this.#descriptor, from, done, from.byteLength - done, position + done, (error, count) => {
          if (error) return reject(hostError(error, this.#path));
          done += count;
          return done === from.byteLength ? resolve() : next();
        });
      };
      next();
    });
  }

  async sync(): Promise<void> {
    if (!this.#open) throw this.#isClosed();
    try {
      await syncFile(this.#descriptor);
    } catch (error) {
      throw hostError(error, this.#path);
    }
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    // From now on the number may belong to another file.
    this.#open = false;
    await closeFile(this.#descriptor).catch(() => {});
    this.#closed();
  }

  #isClosed(): RpcError<HostErrorCode> {
    return new RpcError<HostErrorCode>('Closed', `file "${this.#path}" is closed`);
  }

  #endOfFile(position: number): RpcError<HostErrorCode> {
    return new RpcError<HostErrorCode>('InputOutput', `file "${this.#path}" ends at byte ${position}`);
  }
}

/**
 * Opens granted files of the host. What is done with them then is in `open-file.ts`.
 */
import { close, constants, fstat, open } from 'node:fs';
import { promisify } from 'node:util';
import { RpcError } from '../../../errors.ts';
import type { HostErrorCode, HostFile, HostFileOptions } from '../../../runtime/host-access.ts';
import { lockFile } from './file-lock.ts';
import { atPlace, pathOfDescriptor } from '../../host/granted-place.ts';
import { hostError } from '../../host/host-error.ts';
import { OpenFile } from './open-file.ts';

const openFile = promisify(open);
const statFile = promisify(fstat);
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
    return new OpenFile({ descriptor, path, writeable: access === 'rw', stats, closed });
  } catch (error) {
    await closeFile(descriptor).catch(() => {});
    throw error;
  }
}

/** How a file is opened, and who is told of what becomes of it. */
export interface OpenNodeFileOptions extends HostFileOptions {
  /** The file could not be locked, for this reason. */
  readonly lack?: (text: string) => void;
  /** The file was open, and is closed now. */
  readonly closed?: () => void;
}

/**
 * Opens `target`. Errors call it `path`, as the config does. A file that is opened for writing is
 * locked, and a steady one.
 */
export async function openNodeFile(
  target: string,
  path: string,
  access: 'ro' | 'rw',
  options: OpenNodeFileOptions = {},
): Promise<HostFile> {
  const { lack = () => {}, closed = () => {}, direct = false, pool = false, steady = false } = options;
  const descriptors: number[] = [];
  try {
    const flags = access === 'rw' ? constants.O_RDWR : constants.O_RDONLY;
    const descriptor = await atPlace({ target, path }, 'file', (place) => openFile(place, flags));
    descriptors.push(descriptor);
    const stats = await statFile(descriptor);
    if (stats.isDirectory()) {
      throw new RpcError<HostErrorCode>('Unsupported', `file "${path}" is a directory`);
    }
    const file = { descriptor, device: stats.dev, inode: stats.ino };
    const unlocked = access === 'rw' || steady ? lockFile(file, path, access) : undefined;
    if (unlocked !== undefined) lack(unlocked);
    const directDescriptor = direct ? await openDirectly(descriptor, flags, path) : undefined;
    if (directDescriptor !== undefined) descriptors.push(directDescriptor);
    const writeable = access === 'rw';
    return new OpenFile({ descriptor, directDescriptor, path, writeable, stats, closed, pool });
  } catch (error) {
    for (const descriptor of descriptors) await closeFile(descriptor).catch(() => {});
    throw error instanceof RpcError ? error : hostError(error, path);
  }
}

/** Opens a file that is open once more, for direct I/O. */
async function openDirectly(descriptor: number, flags: number, path: string): Promise<number> {
  const code: HostErrorCode = 'Unsupported';
  const refusal = `file "${path}": its file system has no direct I/O`;
  if (process.platform !== 'linux') throw new RpcError(code, refusal);
  try {
    // By way of the descriptor, so that it is the same file whatever the path leads to by now.
    return await openFile(pathOfDescriptor(descriptor), flags | constants.O_DIRECT);
  } catch (error) {
    const system: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
    throw system === 'EINVAL' ? new RpcError(code, refusal) : error;
  }
}

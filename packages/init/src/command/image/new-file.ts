/** Files that are there when they are complete, and not before. */
import { linkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { HostFileDevice, ImageError, type OpenFiles } from '@ginit/block/image';
import { systemReason } from '../system-reason.ts';

/** The name under which a file is made. */
function freshName(path: string): string {
  return `${path}.ginit-${process.pid}`;
}

/**
 * Makes a file: `fill` writes it beside its place, and then it is put there. Without `force`, a
 * file that is there stays, and that is an error.
 */
export async function makeFile(
  files: OpenFiles,
  path: string,
  force: boolean,
  fill: (device: HostFileDevice) => Promise<void>,
): Promise<void> {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there && !(force && there.isFile())) {
    const how = there.isFile() ? 'exists already (--force replaces it)' : 'is no regular file';
    throw new ImageError('Invalid', `"${path}" ${how}`);
  }
  // It stays locked until another one has its place: nobody may be using it.
  if (there) await files.open(path, 'rw');
  const fresh = freshName(path);
  try {
    writeFileSync(fresh, '', { flag: 'wx' });
  } catch (error) {
    throw new ImageError('InputOutput', `file "${path}" cannot be made: ${systemReason(error)}`);
  }
  try {
    const device = await files.open(fresh, 'rw');
    await fill(device);
    // Whoever opens it next may write, too.
    await device.close();
    if (force) renameSync(fresh, path);
    else putBeside(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

/** Gives a file its name, unless another one has got it meanwhile. */
function putBeside(fresh: string, path: string): void {
  try {
    linkSync(fresh, path);
    rmSync(fresh);
  } catch (error) {
    const code: unknown = Reflect.get(Object(error), 'code');
    if (code === 'EEXIST') throw new ImageError('Invalid', `"${path}" exists already`);
    // A file system without links.
    renameSync(fresh, path);
  }
}

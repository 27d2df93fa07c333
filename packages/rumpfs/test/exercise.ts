import { expect } from 'vitest';
import { FsError } from '../src/errors.ts';
import type { Vnode } from '../src/vnode/vnode.ts';
import { mountFileSystem } from '../src/file-systems.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern } from './mounting.ts';

/**
 * Uses a damaged image in every way; anything but an FsError fails the test, and so does a request
 * for what is not on the device. True when it could be mounted.
 *
 * @param told is given each FsError
 * @param visitsMax so many names are followed
 */
export async function exerciseImage(
  image: Uint8Array,
  type: string,
  told?: (error: FsError) => void,
  visitsMax = 300,
): Promise<boolean> {
  const hypercalls = new MemoryHypercalls(image, { memoryBytes: 256 * 1024 });
  let fs: Mounted;
  try {
    fs = new Mounted(hypercalls, await mountFileSystem(hypercalls, type, { writeable: true }));
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    expect(hypercalls.outside).toEqual([]);
    told?.(error);
    return false;
  }
  const tolerate = async (action: () => Promise<unknown>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      told?.(error);
    }
  };
  const into = new Uint8Array(400_000);
  let budget = visitsMax;
  const walk = async (directory: Vnode, depth: number): Promise<void> => {
    for (let cursor: number | undefined = 0; cursor !== undefined; ) {
      const listing = await fs.mount.list(directory, cursor, 50);
      cursor = listing.nextCursor;
      for (const entry of listing.entries) {
        budget -= 1;
        if (budget < 0) return;
        await tolerate(() => visit(directory, entry.name, depth));
      }
    }
  };
  const visit = async (directory: Vnode, name: string, depth: number): Promise<void> => {
    const vnode = await fs.mount.lookup(directory, name);
    try {
      if (vnode.type === 'directory' && depth < 5) await walk(vnode, depth + 1);
      if (vnode.type === 'symlink') await fs.mount.readLink(vnode);
      if (vnode.type === 'file') await fs.mount.read(vnode, 0, into);
      if (vnode.type === 'file') await tolerate(() => fs.mount.append(vnode, pattern(3000)));
    } finally {
      await tolerate(() => fs.mount.release(vnode));
    }
  };
  await tolerate(() => walk(fs.mount.root, 0));
  await tolerate(() => fs.mkdir('/directory/new'));
  await tolerate(() => fs.write('/directory/new/file', pattern(100_000)));
  await tolerate(() => fs.rename('/file', '/many/file'));
  await tolerate(() => fs.unlink('/many/file'));
  await tolerate(() => fs.unlink('/many/name-7'));
  await tolerate(() => fs.rmdir('/directory/inner'));
  await tolerate(() => fs.mount.unmount());
  expect(hypercalls.outside).toEqual([]);
  return true;
}

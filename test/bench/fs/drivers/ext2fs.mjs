/** npm ext2fs, which is libext2fs as WebAssembly. It has no sync but its unmount. */
import { open as openFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export async function open({ image, peers, dropCaches }) {
  const load = createRequire(join(peers, 'package.json'));
  const ext2fs = load('ext2fs');
  const { FileDisk } = load('file-disk');
  let handle;
  let fs;
  let ended;
  // `withMountedDisk` unmounts when the promise of its caller settles.
  const enter = async () => {
    handle = await openFile(image, 'r+');
    await new Promise((resolve, reject) => {
      ended = {};
      ended.left = new Promise((done) => (ended.leave = done));
      ended.unmounted = ext2fs.withMountedDisk(new FileDisk(handle), 0, async (mounted) => {
        fs = mounted.promises;
        resolve();
        await ended.left;
      });
      ended.unmounted.catch(reject);
    });
  };
  const leave = async () => {
    ended.leave();
    await ended.unmounted;
    await handle.sync();
    await handle.close();
  };
  await enter();
  return {
    async write(path, piece, count) {
      const file = await fs.open(path, 'w');
      for (let index = 0; index < count; index++)
        await file.write(piece, 0, piece.length, index * piece.length);
      await file.close();
    },
    async read(path, into, bytes) {
      const file = await fs.open(path, 'r');
      for (let at = 0; at < bytes; at += into.length) await file.read(into, 0, into.length, at);
      await file.close();
    },
    mkdir: (path) => fs.mkdir(path),
    create: (path) => fs.writeFile(path, ''),
    stat: (path) => fs.stat(path),
    unlink: (path) => fs.unlink(path),
    async remount() {
      await leave();
      dropCaches();
      await enter();
    },
    end: leave,
  };
}

/** Ours: `mount` in the thread of the caller. */
import { mount } from '@ginit/rumpfs';

export async function open({ image, dropCaches }) {
  let fs = await mount(image);
  return {
    async write(path, piece, count) {
      const file = await fs.open(path, 'w');
      for (let index = 0; index < count; index++)
        await file.write(piece, 0, piece.length, index * piece.length);
      await file.close();
    },
    async read(path, into, bytes) {
      const file = await fs.open(path);
      for (let at = 0; at < bytes; at += into.length) await file.read(into, 0, into.length, at);
      await file.close();
    },
    mkdir: (path) => fs.mkdir(path),
    create: (path) => fs.writeFile(path, ''),
    stat: (path) => fs.stat(path),
    unlink: (path) => fs.unlink(path),
    sync: () => fs.sync(),
    async remount() {
      await fs.unmount();
      dropCaches();
      fs = await mount(image);
    },
    end: () => fs.unmount(),
  };
}

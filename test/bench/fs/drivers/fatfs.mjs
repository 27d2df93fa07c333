/** npm fatfs. It cannot unlink, and has no sync. */
import { closeSync, fstatSync, openSync, read, write } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SECTOR_BYTES = 512;

export async function open({ image, peers, dropCaches }) {
  const fatfs = createRequire(join(peers, 'package.json'))('fatfs');
  let descriptor;
  let calls;
  const enter = () =>
    new Promise((resolve, reject) => {
      descriptor = openSync(image, 'r+');
      const volume = {
        sectorSize: SECTOR_BYTES,
        numSectors: fstatSync(descriptor).size / SECTOR_BYTES,
        readSectors: (sector, into, done) =>
          read(descriptor, into, 0, into.length, sector * SECTOR_BYTES, (error) => done(error)),
        writeSectors: (sector, from, done) =>
          write(descriptor, from, 0, from.length, sector * SECTOR_BYTES, (error) => done(error)),
      };
      const fs = fatfs.createFileSystem(volume, {}, (error) => (error ? reject(error) : resolve()));
      const names = ['open', 'write', 'read', 'close', 'mkdir', 'writeFile', 'stat'];
      calls = Object.fromEntries(names.map((name) => [name, promisify(fs[name].bind(fs))]));
    });
  await enter();
  return {
    async write(path, piece, count) {
      const file = await calls.open(path, 'w');
      for (let index = 0; index < count; index++)
        await calls.write(file, piece, 0, piece.length, index * piece.length);
      await calls.close(file);
    },
    async read(path, into, bytes) {
      const file = await calls.open(path, 'r');
      for (let at = 0; at < bytes; at += into.length) await calls.read(file, into, 0, into.length, at);
      await calls.close(file);
    },
    mkdir: (path) => calls.mkdir(path),
    create: (path) => calls.writeFile(path, ''),
    stat: (path) => calls.stat(path),
    async remount() {
      closeSync(descriptor);
      dropCaches();
      await enter();
    },
    end: () => closeSync(descriptor),
  };
}

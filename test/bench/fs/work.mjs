/** The work that every contender of `fs` does in the same way, and how long each part of it takes. */

const PIECE_BYTES = 1024 * 1024;
const MIB = 1024 * 1024;

export const FULL_WORK = { dataMib: 64, files: 5000 };
export const QUICK_WORK = { dataMib: 4, files: 100 };

/**
 * Cold: after a mount, with the host's cache dropped where root may do that. What changes something
 * ends with a sync, where the contender has one.
 */
export const COLUMNS = {
  write: 'write, MB/s',
  readCold: 'read cold, MB/s',
  readWarm: 'read warm, MB/s',
  create: 'create, 1/s',
  statCold: 'stat cold, 1/s',
  statWarm: 'stat warm, 1/s',
  unlink: 'unlink, 1/s',
};

async function seconds(work) {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/**
 * Measures a file system. `fs` has the calls `write(path, piece, count)`, `read(path, piece,
 * bytes)`, `create(path)`, `stat(path)`, `unlink(path)`, `mkdir(path)`, `sync()` and
 * `remount()`; those that end at once return no promise. A call that is missing leaves its row out,
 * and so does work of nothing.
 */
export async function measure(fs, { dataMib, files }) {
  const figures = {
    ...(dataMib > 0 ? await measureData(fs, dataMib) : {}),
    ...(files > 0 ? await measureFiles(fs, files) : {}),
  };
  await fs.end();
  return figures;
}

const rate = (amount, took) => amount / took;

async function measureData(fs, dataMib) {
  const figures = {};
  const bytes = dataMib * MIB;
  const piece = Buffer.alloc(PIECE_BYTES);
  for (let at = 0; at < piece.length; at++) piece[at] = (at * 31 + (at >> 9)) & 0xff;
  const into = Buffer.alloc(PIECE_BYTES);
  const data = async (work) => rate(bytes / 1e6, await seconds(work));
  figures.write = await data(async () => {
    await fs.write('/data', piece, dataMib);
    await fs.sync?.();
  });
  await fs.remount();
  figures.readCold = await data(() => fs.read('/data', into, bytes));
  figures.readWarm = await data(() => fs.read('/data', into, bytes));
  if (!into.equals(piece)) throw new Error('what was read is not what was written');
  return figures;
}

async function measureFiles(fs, files) {
  const figures = {};
  const names = Array.from({ length: files }, (_, index) => `/files/file number ${index}`);
  const each = async (call) =>
    rate(
      files,
      await seconds(async () => {
        for (const name of names) {
          const under = call(name);
          if (under !== undefined) await under;
        }
        if (call !== fs.stat) await fs.sync?.();
      }),
    );
  await fs.mkdir('/files');
  figures.create = await each(fs.create);
  await fs.remount();
  figures.statCold = await each(fs.stat);
  figures.statWarm = await each(fs.stat);
  if (fs.unlink) figures.unlink = await each(fs.unlink);
  return figures;
}

/**
 * `fuse`: files on a mount of the host: ext2 by `ginit mount`, by fuse2fs and by the kernel, and a
 * directory in memory by libfuse's passthrough_ll. The work is that of the benchmark `fs`.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCommand } from '../harness/environment.mjs';
import { COLUMNS, FULL_WORK, QUICK_WORK } from '../fs/work.mjs';

const PASS = fileURLToPath(new URL('../fs/pass.mjs', import.meta.url));
const IMAGE_MIB = 256;

function lackOf(command) {
  if (process.getuid?.() !== 0) return 'mounting takes root';
  if (command === undefined || hasCommand(command)) return undefined;
  return spawnSync(command, ['-V']).error === undefined ? undefined : `${command} is not there`;
}

function contenders({ directory, places, quick }) {
  const { free, one } = places;
  const image = join(directory, 'ext2.img');
  spawnSync('truncate', ['-s', `${IMAGE_MIB}M`, image]);
  const made = spawnSync('mke2fs', ['-q', '-F', '-t', 'ext2', '-b', '4096', image]).status === 0;
  const work = JSON.stringify(quick ? QUICK_WORK : FULL_WORK);
  const make = (id, label, driver, lack) => ({
    id,
    label,
    place: free ?? one,
    command: [process.execPath, PASS, driver, 'ext2', image, '', work],
    skipped: made ? lack : 'mke2fs is not there',
    timeoutMs: 240_000,
  });
  return [
    make('ext2', 'ginit mount, ext2', 'ginit-mount', lackOf()),
    make('fuse2fs', 'fuse2fs, ext2', 'fuse2fs', lackOf('fuse2fs')),
    make('passthrough', 'passthrough_ll, tmpfs', 'passthrough', lackOf('passthrough_ll')),
    make('kernel', 'the kernel, loop mount of ext2', 'kernel', lackOf()),
  ];
}

const CACHED = ['readWarm', 'statWarm'];
const ALL = Object.keys(COLUMNS);
const worst = (values) => {
  const known = values.filter(Number.isFinite);
  return known.length === 0 ? Number.NaN : Math.min(...known);
};

export const fuse = {
  name: 'fuse',
  title: 'files on a mount of the host: 64 MiB in one, and 5000 of them',
  columns: COLUMNS,
  contenders,
  figures: (median) => Object.fromEntries(ALL.map((key) => [`ext2.${key}`, median('ext2', key)])),
  /** Each the worst of its rows: what the kernel has cached, and everything. */
  ratios: (median) => {
    const against = (peer, keys) => worst(keys.map((key) => median('ext2', key) / median(peer, key)));
    return {
      cachedVsPassthrough: against('passthrough', CACHED),
      cachedVsFuse2fs: against('fuse2fs', CACHED),
      ext2VsFuse2fs: against('fuse2fs', ALL),
    };
  },
  aims: { cachedVsPassthrough: 0.77, ext2VsFuse2fs: 1.5 },
};

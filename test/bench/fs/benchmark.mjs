/** `fs`: files in an image of ext, FAT32, exFAT or UFS, by us, by npm packages, by FUSE and by the kernel. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCommand } from '../harness/environment.mjs';
import { COLUMNS, FULL_WORK, QUICK_WORK } from './work.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
/** The versions of the npm packages that are measured. */
const PEERS = { ext2fs: '4.2.5', 'file-disk': '8.0.1', fatfs: '0.10.8' };
const IMAGE_MIB = 256;
const GINIT = path('../../../packages/init/bin/ginit.js');
/** npm fatfs takes four minutes for the files, so it does them once. */
const SLOW_TIMEOUT_MS = 480_000;

/** The commands that make an empty image. */
const MAKERS = {
  ext2: ['mke2fs', '-q', '-F', '-t', 'ext2', '-b', '4096'],
  ext4: ['mke2fs', '-q', '-F', '-t', 'ext4', '-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0'],
  fat32: ['mkfs.fat', '-F', '32', '-s', '8'],
  exfat: ['mkfs.exfat', '-c', '4K'],
  // No tool of the host makes an empty UFS of these sizes.
  ufs1: [process.execPath, GINIT, 'fs', 'mkfs', '-t', 'ufs1'],
  ufs2: [process.execPath, GINIT, 'fs', 'mkfs', '-t', 'ufs2'],
  'ufs2-log': [process.execPath, GINIT, 'fs', 'mkfs', '-t', 'ufs2', '--journal', 'end'],
};
/** Nobody else here mounts UFS: this kernel has none, and neither FUSE nor npm has one. */
const UFS = { ufs1: 'UFS1', ufs2: 'UFS2', 'ufs2-log': 'UFS2 with a log' };

/** An image, which each run copies; undefined where its tool is not there. */
function makeImage(directory, type) {
  const file = join(directory, `${type}.img`);
  if (existsSync(file)) return file;
  spawnSync('truncate', ['-s', `${IMAGE_MIB}M`, file]);
  const [tool, ...args] = MAKERS[type];
  return spawnSync(tool, [...args, file]).status === 0 ? file : undefined;
}

/** Installs the npm packages in a folder of their own; why not, if that cannot be. */
function installPeers(directory) {
  const folder = join(directory, 'peers');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: PEERS }));
  const { status } = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
  });
  return { folder, lack: status === 0 ? undefined : 'npm cannot install it here' };
}

function mountLack(command) {
  if (process.getuid?.() !== 0) return 'mounting takes root';
  return command === undefined || hasCommand(command) || spawnSync(command, ['-V']).error === undefined
    ? undefined
    : `${command} is not there`;
}

/** Why the kernel cannot mount a format; undefined if it can. */
function kernelLack(type) {
  const known = existsSync('/proc/filesystems') && readFileSync('/proc/filesystems', 'utf8').includes(type);
  return known ? mountLack() : `the kernel has no ${type}`;
}

function contenders({ directory, places, quick }) {
  const { free, one } = places;
  const { folder, lack } = installPeers(directory);
  const all = quick ? QUICK_WORK : FULL_WORK;
  const make = (id, label, type, options = {}) => {
    const { driver = id, skipped, timeoutMs = 240_000, rounds, work = all } = options;
    const image = makeImage(directory, type);
    const pass = [path('./pass.mjs'), driver, type, image ?? '', folder, JSON.stringify(work)];
    const why = image === undefined ? `${MAKERS[type][0]} is not there` : skipped;
    const command = [process.execPath, ...pass];
    return { id, label, place: free ?? one, command, skipped: why, timeoutMs, rounds };
  };
  const slow = { driver: 'fatfs', skipped: lack, timeoutMs: SLOW_TIMEOUT_MS, rounds: 1 };
  return [
    make('ext2', 'ginit, mount of ext2', 'ext2', { driver: 'ginit' }),
    make('ext4', 'ginit, mount of ext4', 'ext4', { driver: 'ginit' }),
    make('fat32', 'ginit, mount of FAT32', 'fat32', { driver: 'ginit' }),
    make('exfat', 'ginit, mount of exFAT', 'exfat', { driver: 'ginit' }),
    ...Object.entries(UFS).map(([id, title]) =>
      make(id, `ginit, mount of ${title}`, id, { driver: 'ginit' }),
    ),
    make('ext2fs', 'npm ext2fs, ext2', 'ext2', { skipped: lack }),
    make('fatfs', 'npm fatfs, FAT32, its data', 'fat32', { skipped: lack, work: { ...all, files: 0 } }),
    make('fatfs-files', 'npm fatfs, FAT32, its files', 'fat32', { ...slow, work: { ...all, dataMib: 0 } }),
    make('fuse-ext2', 'fuse2fs, ext2', 'ext2', { driver: 'fuse2fs', skipped: mountLack('fuse2fs') }),
    make('fuse-ext4', 'fuse2fs, ext4', 'ext4', { driver: 'fuse2fs', skipped: mountLack('fuse2fs') }),
    make('exfat-fuse', 'exfat-fuse, exFAT', 'exfat', { skipped: mountLack('mount.exfat-fuse') }),
    make('kernel-ext2', 'the kernel, loop mount of ext2', 'ext2', { driver: 'kernel', skipped: mountLack() }),
    make('kernel-ext4', 'the kernel, loop mount of ext4', 'ext4', { driver: 'kernel', skipped: mountLack() }),
    make('kernel-exfat', 'the kernel, loop mount of exFAT', 'exfat', {
      driver: 'kernel',
      skipped: kernelLack('exfat'),
    }),
  ];
}

const worst = (values) => Math.min(...values.filter(Number.isFinite));
const ALL = Object.keys(COLUMNS);
const DATA = ALL.filter((key) => key.startsWith('write') || key.startsWith('read'));

export const fs = {
  name: 'fs',
  title: 'files in an image: 64 MiB in one, and 5000 of them',
  columns: COLUMNS,
  contenders,
  figures: (median) =>
    Object.fromEntries(
      ['ext2', 'ext4', 'fat32', 'exfat', ...Object.keys(UFS)].flatMap((id) =>
        ALL.map((key) => [`${id}.${key}`, median(id, key)]),
      ),
    ),
  /** Each the worst of its rows; a row that a peer cannot do does not count. */
  ratios: (median) => {
    const against = (id, peers, keys) => {
      const found = peers.flatMap((peer) => keys.map((key) => median(id, key) / median(peer, key)));
      return found.some(Number.isFinite) ? worst(found) : Number.NaN;
    };
    return {
      ext2VsNpmExt2fs: against('ext2', ['ext2fs'], ALL),
      ext2VsFuse2fs: against('ext2', ['fuse-ext2'], ALL),
      ext4VsFuse2fs: against('ext4', ['fuse-ext4'], ALL),
      fatVsNpmFatfs: against('fat32', ['fatfs', 'fatfs-files'], ALL),
      exfatVsExfatFuse: against('exfat', ['exfat-fuse'], ALL),
      ext2VsKernel: against('ext2', ['kernel-ext2'], DATA),
    };
  },
  aims: {
    ext2VsNpmExt2fs: 20,
    ext2VsFuse2fs: 2,
    ext4VsFuse2fs: 2,
    fatVsNpmFatfs: 20,
    exfatVsExfatFuse: 2,
    ext2VsKernel: 0.5,
  },
};

// Debian packages whose programs check our work in tests: installed when root and apt-get is there,
// otherwise named. Tests that want one that is missing are skipped and say so.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian packages, and those of their programs that tests use. */
export const ORACLES = {
  diod: ['diodcat', 'diodls'],
  dosfstools: ['mkfs.fat', 'fsck.fat'],
  e2fsprogs: ['mke2fs', 'e2fsck', 'debugfs', 'dumpe2fs'],
  'exfat-fuse': ['mount.exfat-fuse'],
  exfatprogs: ['mkfs.exfat', 'fsck.exfat'],
  fdisk: ['sfdisk'],
  fio: ['fio'],
  git: ['git'],
  gdisk: ['sgdisk'],
  fuse2fs: ['fuse2fs'],
  genisoimage: ['genisoimage', 'mkzftree'],
  'grub-common': ['grub-fstest'],
  iproute2: ['ip'],
  'libnbd-bin': ['nbdinfo', 'nbdcopy'],
  'libxml2-utils': ['xmllint'],
  makefs: ['makefs'],
  mount: ['losetup'],
  mtools: ['mcopy', 'mdir'],
  'nats-server': ['nats-server'],
  nbdkit: ['nbdkit'],
  'nginx-light': ['nginx'],
  openssl: ['openssl'],
  'p7zip-full': ['7z'],
  parted: ['parted'],
  'python3-libnbd': ['nbdsh'],
  'qemu-utils': ['qemu-img', 'qemu-io', 'qemu-nbd'],
  sqlite3: ['sqlite3'],
  sleuthkit: ['fls', 'icat', 'fsstat'],
  xorriso: ['xorriso'],
  zstd: ['zstd'],
};
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

function isThere(program) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_DIRECTORIES];
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function missingPackages() {
  return Object.keys(ORACLES).filter((name) => !ORACLES[name].every(isThere));
}

/** Installs what is missing, if that is possible. */
export function installOracles() {
  let missing = missingPackages();
  if (missing.length > 0 && process.getuid?.() === 0 && isThere('apt-get')) {
    console.error(`test: installing ${missing.join(', ')}`);
    const options = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
    spawnSync('apt-get', ['update'], options);
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...missing], options);
    missing = missingPackages();
  }
  if (missing.length > 0)
    console.error(`test: tests that need these Debian packages are skipped: ${missing.join(' ')}`);
}

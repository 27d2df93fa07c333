// Debian packages whose programs check our work in tests: installed when root and apt-get is there,
// otherwise named. Tests that want one that is missing are skipped and say so.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const ORACLES = [
  { program: 'e2fsck', debianPackage: 'e2fsprogs' },
  { program: 'sfdisk', debianPackage: 'fdisk' },
  { program: 'qemu-io', debianPackage: 'qemu-utils' },
  { program: '7z', debianPackage: 'p7zip-full' },
  { program: 'parted', debianPackage: 'parted' },
  { program: 'sgdisk', debianPackage: 'gdisk' },
  { program: 'zstd', debianPackage: 'zstd' },
  { program: 'diodcat', debianPackage: 'diod' },
  { program: 'nbdinfo', debianPackage: 'libnbd-bin' },
  { program: 'nbdsh', debianPackage: 'python3-libnbd' },
  { program: 'nbdkit', debianPackage: 'nbdkit' },
  { program: 'fio', debianPackage: 'fio' },
  { program: 'nginx', debianPackage: 'nginx-light' },
  { program: 'openssl', debianPackage: 'openssl' },
  { program: 'nats-server', debianPackage: 'nats-server' },
  { program: 'xmllint', debianPackage: 'libxml2-utils' },
];
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
  const missing = ORACLES.filter(({ program }) => !isThere(program));
  return missing.map(({ debianPackage }) => debianPackage);
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

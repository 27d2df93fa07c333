import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingOf, programPath } from '../../../test/harness/programs.ts';

/** The reason why tests with images of mkfs.exfat are skipped; undefined where they can run. */
export const missingExfatTools = missingOf('mkfs.exfat', 'fsck.exfat');
/** The same for tests in which exfat-fuse reads or fills an image. */
export const missingExfatFuse =
  missingExfatTools ??
  missingOf('mount.exfat-fuse', 'losetup') ??
  (process.getuid?.() === 0 && existsSync('/dev/fuse') && existsSync('/dev/loop-control')
    ? undefined
    : 'takes root, /dev/fuse and loop devices');
/** The same for tests in which the kernel mounts an image. */
export const missingExfatKernel =
  missingExfatTools ??
  (process.getuid?.() === 0 && readFileSync('/proc/filesystems', 'utf8').includes('exfat')
    ? undefined
    : 'the kernel has no exfat, or this is not root');
export const missingExfatReaders = missingExfatTools ?? missingOf('grub-fstest', 'fls', 'icat');

/** An empty exFAT: its size and what mkfs.exfat is told. */
export interface ExfatForm {
  readonly title: string;
  readonly sizeBytes: number;
  readonly args: readonly string[];
  /** Other sectors than those of 512 bytes take a loop device, and so root. */
  readonly sectorBytes?: number;
}

/** Clusters of all sizes that are laid out in another way, and sectors of all sizes. */
export const EXFAT_FORMS: readonly (ExfatForm & { readonly long?: boolean })[] = [
  { title: 'clusters of 512 bytes', sizeBytes: 4 << 20, args: ['-c', '512', '-b', '16K'] },
  { title: 'clusters of 1 KiB', sizeBytes: 6 << 20, args: ['-c', '1K', '-b', '64K'], long: true },
  { title: 'clusters of 4 KiB', sizeBytes: 8 << 20, args: ['-c', '4K'] },
  { title: 'clusters of 32 KiB', sizeBytes: 24 << 20, args: ['-c', '32K'], long: true },
  { title: 'clusters of 1 MiB', sizeBytes: 64 << 20, args: ['-c', '1M'], long: true },
  {
    title: 'the bitmap beside the FAT',
    sizeBytes: 12 << 20,
    args: ['-c', '2K', '--pack-bitmap'],
    long: true,
  },
];
/** Those that take a loop device. */
export const EXFAT_SECTOR_FORMS: readonly (ExfatForm & { readonly long: boolean })[] = [1024, 2048, 4096].map(
  (sectorBytes) => ({
    title: `sectors of ${sectorBytes} bytes`,
    sizeBytes: 16 << 20,
    args: ['-c', '4K', '-b', '128K'],
    sectorBytes,
    long: sectorBytes !== 4096,
  }),
);

/** A directory for exFAT images that goes away with `dispose`. */
export class ExfatWorkshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'ginit-exfat-'));

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The bytes of a new image made by mkfs.exfat. */
  make({ sizeBytes, args, sectorBytes = 512 }: Omit<ExfatForm, 'title'>): Uint8Array {
    const path = join(this.folder, 'made.img');
    writeFileSync(path, '');
    truncateSync(path, sizeBytes);
    if (sectorBytes === 512) this.run('mkfs.exfat', [...args, path]);
    else this.#onLoop(path, sectorBytes, (device) => this.run('mkfs.exfat', [...args, device]));
    return bytesOf(path);
  }

  /** The findings of fsck.exfat; '' for a clean image. */
  check(image: Uint8Array): string {
    const { status, stdout, stderr } = this.#start('fsck.exfat', ['-n', this.save(image)]);
    const output = `${stdout.toString()}${stderr.toString()}`;
    return status === 0 && / clean\. /.test(output) && !output.includes('ERROR') ? '' : output;
  }

  /** The image after fsck.exfat was allowed to mend it, and what it said. */
  mend(image: Uint8Array): { readonly image: Uint8Array; readonly output: string } {
    const path = this.save(image);
    const { status, stdout, stderr } = this.#start('fsck.exfat', ['-y', path]);
    const output = `${stdout.toString()}${stderr.toString()}`;
    if ((status ?? 8) > 1) throw new Error(`fsck.exfat: ${status}: ${output}`);
    return { image: bytesOf(path), output };
  }

  /**
   * Lets exfat-fuse mount an image, and something be done to the tree in it. The result is the
   * image after that.
   */
  fuse(image: Uint8Array, action: (folder: string) => void, sectorBytes = 512): Uint8Array {
    const path = this.save(image);
    const folder = join(this.folder, 'mounted');
    mkdirSync(folder, { recursive: true });
    // The device goes with the mount, as it is given up while it is mounted.
    this.#onLoop(path, sectorBytes, (device) => this.run('mount.exfat-fuse', [device, folder]));
    try {
      action(folder);
    } finally {
      this.run('umount', [folder]);
    }
    return bytesOf(path);
  }

  /** The same with the kernel's own driver. */
  kernel(image: Uint8Array, action: (folder: string) => void): Uint8Array {
    const path = this.save(image);
    const folder = join(this.folder, 'mounted');
    mkdirSync(folder, { recursive: true });
    this.run('mount', ['-t', 'exfat', '-o', 'loop', path, folder]);
    try {
      action(folder);
    } finally {
      this.run('umount', [folder]);
    }
    return bytesOf(path);
  }

  /** A file's contents as grub reads them. */
  grub(image: Uint8Array, path: string): Uint8Array {
    const target = join(this.folder, 'grub.out');
    rmSync(target, { force: true });
    this.run('grub-fstest', [this.save(image), 'cp', `(loop0)${path}`, target]);
    return bytesOf(target);
  }

  /** The names in an image as sleuthkit lists them, with the numbers by which it knows them. */
  sleuthkit(image: Uint8Array): Map<string, string> {
    const text = new TextDecoder().decode(
      this.run('fls', ['-r', '-p', '-u', '-f', 'exfat', this.save(image)]),
    );
    const found = new Map<string, string>();
    for (const line of text.split('\n')) {
      const [, inode, name] = /^[rd]\/[rd] (\S+):\t(.*)$/.exec(line) ?? [];
      if (inode !== undefined && name !== undefined) found.set(name, inode);
    }
    return found;
  }

  /** A file's contents as sleuthkit reads them. */
  icat(image: Uint8Array, inode: string): Uint8Array {
    return this.run('icat', ['-f', 'exfat', this.save(image), inode]);
  }

  save(image: Uint8Array): string {
    const path = join(this.folder, 'current.img');
    writeFileSync(path, image);
    return path;
  }

  /** The bytes that a program writes to its standard output; it must succeed. */
  run(name: string, args: readonly string[]): Uint8Array {
    const { status, stdout, stderr } = this.#start(name, args);
    if (status !== 0) throw new Error(`${name}: ${stdout.toString().slice(0, 500)}${stderr.toString()}`);
    return new Uint8Array(stdout);
  }

  #start(name: string, args: readonly string[]): SpawnSyncReturns<Buffer> {
    const path = programPath(name);
    if (path === undefined) throw new Error(`test: ${name} is not installed`);
    const env = { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
    return spawnSync(path, args, { maxBuffer: 1 << 28, env });
  }

  #onLoop(path: string, sectorBytes: number, action: (device: string) => void): void {
    const args = ['--sector-size', String(sectorBytes), '--show', '-f', path];
    const device = new TextDecoder().decode(this.run('losetup', args)).trim();
    try {
      action(device);
    } finally {
      this.run('losetup', ['-d', device]);
    }
  }
}

function bytesOf(path: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

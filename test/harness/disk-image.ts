/**
 * Disk images for scenarios: an MBR with one ext2 partition made by mke2fs; e2fsck and debugfs to
 * look into it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingOf, programPath } from './programs.ts';

const SECTOR = 512;
/** First sector of the partition: 1 MiB, as partitioning tools do it. */
const FIRST_SECTOR = 2048;
const LINUX = 0x83;

/** Why tests with ext2 images cannot run; `undefined` if they can. */
export const missingTools = missingOf('mke2fs', 'e2fsck', 'debugfs');

function tool(
  program: string,
  args: readonly string[],
): { status: number | null; stdout: Buffer; text: string } {
  const path = programPath(program);
  if (path === undefined) throw new Error(`${program} is not installed`);
  const { status, stdout, stderr } = spawnSync(path, args, { maxBuffer: 2 ** 30 });
  return { status, stdout, text: `${stdout}${stderr}` };
}

/** A disk with one partition, in a directory of a test. */
export class DiskImage {
  readonly path: string;
  readonly #partitionPath: string;

  private constructor(directory: string, name: string) {
    this.path = join(directory, name);
    this.#partitionPath = join(directory, `${name}.partition`);
  }

  /**
   * Makes `name` with an ext2 of `sizeKiB`, filled from the tree at `content`; `options` go to
   * mke2fs.
   */
  static make(
    directory: string,
    name: string,
    sizeKiB: number,
    options: readonly string[],
    content?: string,
  ): DiskImage {
    const image = new DiskImage(directory, name);
    const fill = content === undefined ? [] : ['-d', content];
    const partition = image.#partitionPath;
    const made = tool('mke2fs', ['-q', '-F', '-t', 'ext2', ...options, ...fill, partition, `${sizeKiB}k`]);
    if (made.status !== 0) throw new Error(made.text);
    const bytes = readFileSync(partition);
    const disk = Buffer.alloc(FIRST_SECTOR * SECTOR + bytes.length);
    disk.set(bytes, FIRST_SECTOR * SECTOR);
    disk.writeUInt8(LINUX, 450);
    disk.writeUInt32LE(FIRST_SECTOR, 454);
    disk.writeUInt32LE(bytes.length / SECTOR, 458);
    disk.writeUInt16LE(0xaa55, 510);
    writeFileSync(image.path, disk);
    return image;
  }

  /**
   * The findings of e2fsck about the file system as it is now on the disk; empty if it is clean.
   */
  problems(): string {
    this.#extract();
    const { status, text } = tool('e2fsck', ['-fn', this.#partitionPath]);
    return status === 0 ? '' : `e2fsck ends with ${status}:\n${text}`;
  }

  /** A file's content as debugfs reads it. */
  content(path: string): Buffer {
    this.#extract();
    return tool('debugfs', ['-R', `cat "${path}"`, this.#partitionPath]).stdout;
  }

  /** Output of a debugfs command. */
  debugfs(command: string): string {
    this.#extract();
    return tool('debugfs', ['-R', command, this.#partitionPath]).text;
  }

  #extract(): void {
    writeFileSync(this.#partitionPath, readFileSync(this.path).subarray(FIRST_SECTOR * SECTOR));
  }
}

/** Writes files below `directory`; keys are paths. */
export function writeTree(directory: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  for (const [path, content] of Object.entries(files)) {
    const target = join(directory, path);
    mkdirSync(join(target, '..'), { recursive: true });
    writeFileSync(target, content);
  }
  return directory;
}

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingOf, programPath } from '../../../test/harness/programs.ts';
import { pattern } from './mounting.ts';

/** The reason why tests with images of makefs are skipped; undefined where they can run. */
export const missingMakefs = missingOf('makefs');
export const missingSleuthkit = missingOf('makefs', 'icat', 'fls');
export const missingGrub = missingOf('makefs', 'grub-fstest');

/** A kind of FFS. */
export interface FfsForm {
  readonly title: string;
  readonly version: 1 | 2;
  readonly order: 'le' | 'be';
  readonly blockBytes: number;
  readonly fragmentBytes: number;
  /** Other options of makefs's `-o`, and the size of the image. */
  readonly options?: string;
  readonly size: string;
}

/**
 * All revisions and byte orders, with sizes of blocks and fragments from the smallest to the
 * largest.
 */
export const FFS_FORMS: readonly FfsForm[] = [1, 2].flatMap((version) =>
  ['le', 'be'].flatMap((order) => [
    form(version, order, 4096, 512, '8m'),
    form(version, order, 8192, 1024, '33m', 'maxbpcg=512,density=8192'),
    form(version, order, 16_384, 4096, '16m'),
    form(version, order, 32_768, 4096, '24m'),
    form(version, order, 65_536, 8192, '32m'),
    form(version, order, 8192, 8192, '16m'),
  ]),
);

function form(
  version: number,
  order: string,
  blockBytes: number,
  fragmentBytes: number,
  size: string,
  options?: string,
): FfsForm {
  return {
    title: `UFS${version}, ${order === 'le' ? 'little' : 'big'} endian, ${blockBytes}/${fragmentBytes}`,
    version: version === 1 ? 1 : 2,
    order: order === 'le' ? 'le' : 'be',
    blockBytes,
    fragmentBytes,
    size,
    ...(options === undefined ? {} : { options }),
  };
}

/** The form with that revision, byte order and size of blocks. */
export function ffsForm(version: 1 | 2, order: 'le' | 'be', blockBytes: number): FfsForm {
  const found = FFS_FORMS.find(
    (one) => one.version === version && one.order === order && one.blockBytes === blockBytes,
  );
  if (found === undefined) throw new Error('test: no such form');
  return found;
}

/** A directory for trees and images that goes away with `dispose`. */
export class FfsWorkshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'ginit-ffs-'));
  #count = 0;

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An empty folder, to be filled with what an image is made of. */
  tree(): string {
    this.#count += 1;
    const path = join(this.folder, `tree-${this.#count}`);
    mkdirSync(path);
    return path;
  }

  /** An image made by makefs of a folder. */
  make(what: FfsForm, folder = this.tree()): Uint8Array {
    const path = join(this.folder, 'made.img');
    rmSync(path, { force: true });
    const { version, blockBytes, fragmentBytes } = what;
    const sizes = `version=${version},bsize=${blockBytes},fsize=${fragmentBytes}`;
    const options = what.options === undefined ? sizes : `${sizes},${what.options}`;
    this.run('makefs', ['-t', 'ffs', '-B', what.order, '-o', options, '-s', what.size, path, folder]);
    return imageAt(path);
  }

  /** The bytes that a program writes to its standard output; it must succeed. */
  run(name: string, args: readonly string[]): Uint8Array {
    const path = programPath(name);
    if (path === undefined) throw new Error(`test: ${name} is not installed`);
    const done = spawnSync(path, args, { maxBuffer: 1 << 28, env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    if (done.status !== 0)
      throw new Error(`${name}: ${done.stdout.toString().slice(0, 500)}${done.stderr.toString()}`);
    return new Uint8Array(done.stdout);
  }

  save(image: Uint8Array): string {
    const path = join(this.folder, 'current.img');
    writeFileSync(path, image);
    return path;
  }

  /** A file's contents as sleuthkit reads them, by the number of its inode. */
  icat(saved: string, inode: number): Uint8Array {
    return this.run('icat', ['-f', 'ufs', saved, String(inode)]);
  }

  /** A file's contents as grub reads them. */
  grub(saved: string, path: string): Uint8Array {
    const target = join(this.folder, 'grub.out');
    rmSync(target, { force: true });
    this.run('grub-fstest', [saved, 'cp', `(loop0)${path}`, target]);
    return imageAt(target);
  }
}

/** The bytes of a file, in memory of their own. */
function imageAt(path: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Files of all lengths that matter for blocks of that size, directories, links, odd names. */
export function fillFolder(folder: string, { blockBytes, fragmentBytes }: FfsForm): void {
  const sizes = [0, 1, fragmentBytes - 1, fragmentBytes, 3 * fragmentBytes + 1, blockBytes, blockBytes + 1];
  sizes.push(11 * blockBytes + fragmentBytes, 12 * blockBytes, 12 * blockBytes + 1, 20 * blockBytes + 5);
  for (const size of sizes) writeFileSync(join(folder, `file-${size}`), pattern(size, size & 0xff));
  // Beyond what one pointer block reaches, where that is not too long.
  if (blockBytes === 4096) writeFileSync(join(folder, 'long'), pattern(4_500_000, 9));
  const holes = Buffer.alloc(9 * blockBytes);
  holes.set(pattern(700, 3), 6 * blockBytes + 100);
  writeFileSync(join(folder, 'holes'), holes);
  mkdirSync(join(folder, 'many'));
  for (let index = 0; index < 150; index += 1)
    writeFileSync(join(folder, 'many', `${index}-${'n'.repeat(index)}`), `file ${index}`);
  mkdirSync(join(folder, 'a/b/c/d/e'), { recursive: true });
  writeFileSync(join(folder, 'a/b/c/d/e/deep ümläut'), 'deep');
  symlinkSync('file-1', join(folder, 'short-link'));
  for (const length of [58, 59, 60, 61, 118, 119, 120, 121, 400])
    symlinkSync('t'.repeat(length), join(folder, `link-${length}`));
}

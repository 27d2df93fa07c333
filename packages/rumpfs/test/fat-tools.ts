import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ToolResult, Tree } from './e2fsprogs.ts';
import { missingOf, programPath } from '../../../test/harness/programs.ts';

/** The reason why tests with images are skipped; undefined where they can run. */
export const missingFatTools = missingOf('mkfs.fat', 'fsck.fat', 'mcopy', 'mdir');

/** An empty FAT: its size, and the arguments for mkfs.fat. */
export interface FatForm {
  readonly sizeBytes: number;
  readonly args: readonly string[];
}

/** A directory for FAT images that goes away with `dispose`. */
export class FatWorkshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'ginit-fat-'));
  #count = 0;

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The bytes of a new image made by mkfs.fat, with a tree put into it by mcopy. */
  make({ sizeBytes, args }: FatForm, tree?: Tree): Uint8Array {
    const path = this.#path('img');
    writeFileSync(path, '');
    truncateSync(path, sizeBytes);
    this.#done('mkfs.fat', [...args, path]);
    if (tree !== undefined) this.#copyIn(path, tree);
    return bytesOf(path);
  }

  /** The image after commands of mtools, such as `['mlabel', '::NAME']`. */
  mtools(image: Uint8Array, ...commands: readonly (readonly [string, ...string[]])[]): Uint8Array {
    const path = this.save(image);
    for (const [name, ...args] of commands) this.#done(name, ['-i', path, ...args]);
    return bytesOf(path);
  }

  /** The output of a command of mtools. */
  mtoolsOutput(image: Uint8Array, name: string, ...args: readonly string[]): string {
    return this.#done(name, ['-i', this.save(image), ...args]).output;
  }

  /** The contents of a file as mtools reads it. */
  contents(image: Uint8Array, path: string): Uint8Array {
    return this.#done('mtype', ['-i', this.save(image), `::${path}`]).bytes;
  }

  /** The findings of fsck.fat; '' for a clean image. */
  check(image: Uint8Array): string {
    const { code, output } = this.#run('fsck.fat', ['-n', '-v', this.save(image)]);
    const dirty = output.includes('Dirty bit is set') || output.includes('differ');
    return code === 0 && !dirty ? '' : output;
  }

  /** The image after fsck.fat was allowed to mend it. */
  mend(image: Uint8Array): Uint8Array {
    const path = this.save(image);
    const { code, output } = this.#run('fsck.fat', ['-a', '-w', path]);
    if (code > 1) throw new Error(`fsck.fat: ${output}`);
    return bytesOf(path);
  }

  /** The path of a file of that name, for mcopy. */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  save(image: Uint8Array): string {
    const path = join(this.folder, 'current.img');
    writeFileSync(path, image);
    return path;
  }

  #copyIn(path: string, tree: Tree): void {
    const folder = this.#path('tree');
    writeTree(folder, tree);
    const names = Object.keys(tree).map((name) => join(folder, name));
    if (names.length > 0) this.#done('mcopy', ['-i', path, '-s', '-m', ...names, '::']);
  }

  #done(name: string, args: readonly string[]): ToolResult {
    const result = this.#run(name, args);
    if (result.code !== 0) throw new Error(`${name}: ${result.output}`);
    return result;
  }

  #run(name: string, args: readonly string[]): ToolResult {
    const path = programPath(name);
    if (path === undefined) throw new Error(`test: ${name} is not installed`);
    const environment = { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC', MTOOLS_SKIP_CHECK: '1' };
    const done = spawnSync(path, args, { maxBuffer: 1 << 28, env: environment });
    const output = `${done.stdout.toString()}${done.stderr.toString()}`;
    return { code: done.status ?? -1, output, bytes: new Uint8Array(done.stdout) };
  }

  #path(extension: string): string {
    this.#count += 1;
    return join(this.folder, `${this.#count}.${extension}`);
  }
}

function bytesOf(path: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function writeTree(path: string, tree: Tree): void {
  mkdirSync(path);
  for (const [name, content] of Object.entries(tree)) {
    const inner = join(path, name);
    if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(inner, content);
    else writeTree(inner, content);
  }
}

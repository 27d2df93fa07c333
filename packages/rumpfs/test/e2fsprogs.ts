import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingOf, programPath } from '../../../test/harness/programs.ts';

/** The reason why tests with images are skipped; undefined where they can run. */
export const missingTools = missingOf('mke2fs', 'debugfs', 'e2fsck');

/**
 * What e2fsck says when it replays a journal and frees files without a name, and of trees of extents
 * that it would rebuild smaller, which are right as they are.
 */
const USUAL_LINES = [
  /^$/,
  /^e2fsck /,
  /^Pass [1-5]E?:/,
  /recovering journal$/,
  /^(Clearing|Truncating) orphaned inode/,
  /^Inode \d+ extent tree \(at level \d\) could be (narrower|shorter)/,
  /FILE SYSTEM WAS MODIFIED/,
  /^[^ ]+: \d+\/\d+ files/,
];

export interface ToolResult {
  readonly code: number;
  readonly output: string;
  readonly bytes: Uint8Array;
}

export function run(name: string, args: readonly string[], input?: string): ToolResult {
  const path = programPath(name);
  if (path === undefined) throw new Error(`test: ${name} is not installed`);
  const environment = { ...process.env, MKE2FS_SKIP_PROGRESS: '1', LC_ALL: 'C' };
  const done = spawnSync(path, args, { input, maxBuffer: 1 << 28, env: environment });
  const output = `${done.stdout.toString()}${done.stderr.toString()}`;
  return { code: done.status ?? -1, output, bytes: new Uint8Array(done.stdout) };
}

/**
 * The bytes of a file, in memory of their own: images are large, and copies of them take longer
 * than most tests.
 */
function bytesOf(path: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The contents of a tree for a test: text or bytes of a file, or further names. */
export interface Tree {
  readonly [name: string]: string | Uint8Array | Tree;
}

/** A directory for images that goes away with `dispose`. */
export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'ginit-rumpfs-'));
  #count = 0;

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The bytes of a new image made by mke2fs. */
  make(size: string, args: readonly string[], tree?: Tree): Uint8Array {
    const path = this.#path('img');
    const from = tree === undefined ? [] : ['-d', this.folderOf(tree)];
    const type = args.includes('-t') ? [] : ['-t', 'ext2'];
    const made = run('mke2fs', ['-q', '-F', ...type, ...args, ...from, path, size]);
    if (made.code !== 0) throw new Error(`mke2fs: ${made.output}`);
    return bytesOf(path);
  }

  /** The image after a session of debugfs with writing. */
  edit(image: Uint8Array, commands: readonly string[]): Uint8Array {
    const path = this.save(image);
    const done = run('debugfs', ['-w', '-f', '-', path], `${commands.join('\n')}\n`);
    if (done.code !== 0) throw new Error(`debugfs: ${done.output}`);
    return bytesOf(path);
  }

  /** The output of a debugfs command. */
  debug(image: Uint8Array, command: string): Uint8Array {
    return run('debugfs', ['-R', command, this.save(image)]).bytes;
  }

  /** A file's contents as debugfs reads them. */
  dump(image: Uint8Array, path: string): Uint8Array {
    const target = this.#path('dump');
    const done = run('debugfs', ['-R', `dump ${path} ${target}`, this.save(image)]);
    if (!existsSync(target)) throw new Error(`debugfs: ${done.output}`);
    return new Uint8Array(readFileSync(target));
  }

  /** The contents of many files, by one session of debugfs. */
  dumpAll(image: Uint8Array, paths: readonly string[]): Uint8Array[] {
    const targets = paths.map(() => this.#path('dump'));
    const commands = paths.map((path, index) => `dump ${path} ${targets[index]}`);
    const done = run('debugfs', ['-f', '-', this.save(image)], `${commands.join('\n')}\n`);
    return targets.map((target) => {
      if (!existsSync(target)) throw new Error(`debugfs: ${done.output}`);
      return readFileSync(target);
    });
  }

  /** The findings of e2fsck; '' for a clean image. */
  check(image: Uint8Array): string {
    const { code, output } = run('e2fsck', ['-f', '-n', this.save(image)]);
    return code === 0 ? '' : output;
  }

  /**
   * What e2fsck finds wrong in an image whose journal it has replayed, other than files without a
   * name, which whoever mounts it frees; '' if nothing is.
   */
  checkReplayed(image: Uint8Array): string {
    const { code, output } = run('e2fsck', ['-f', '-y', this.save(image)]);
    const faults = output.split('\n').filter((line) => !USUAL_LINES.some((usual) => usual.test(line)));
    return code <= 1 && faults.length === 0 ? '' : output;
  }

  /** The image after e2fsck was allowed to mend it. */
  mend(image: Uint8Array, args: readonly string[]): Uint8Array {
    const path = this.save(image);
    const { code, output } = run('e2fsck', [...args, path]);
    if (code > 1) throw new Error(`e2fsck: ${output}`);
    return bytesOf(path);
  }

  save(image: Uint8Array): string {
    const path = join(this.folder, 'current.img');
    writeFileSync(path, image);
    return path;
  }

  /** The image as a tool has left it, of those that work on the file of `save`. */
  load(): Uint8Array {
    return bytesOf(join(this.folder, 'current.img'));
  }

  /** The path of a new file with these contents, for tools. */
  workFile(content: Uint8Array): string {
    const path = this.#path('file');
    writeFileSync(path, content);
    return path;
  }

  /** Writes a tree of files for `mke2fs -d`. */
  folderOf(tree: Tree): string {
    const path = this.#path('tree');
    writeTree(path, tree);
    return path;
  }

  #path(extension: string): string {
    this.#count += 1;
    return join(this.folder, `${this.#count}.${extension}`);
  }
}

function writeTree(path: string, tree: Tree): void {
  mkdirSync(path);
  for (const [name, content] of Object.entries(tree)) {
    const inner = join(path, name);
    if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(inner, content);
    else writeTree(inner, content);
  }
}

/** Copies files and trees between the host and images, in every direction. */
import { constants } from 'node:fs';
import { type CopyFile, type CopySide, type CopyStats, inside, lastName } from './copy-side.ts';
import { typeOf } from './listing.ts';
import { at, Problem } from './problem.ts';

/** How a copy is made, and who hears of it. */
export interface CopyOptions {
  readonly recursive: boolean;
  readonly owner: boolean;
  /** Called again and again; it waits, or throws `Interrupted`. */
  readonly pace: (doneBytes: number, name: string) => Promise<void>;
  /** Is told what could not be copied, and why. */
  readonly skipped: (text: string) => void;
}

/** What has been copied. */
export interface Copied {
  files: number;
  directories: number;
  links: number;
  bytes: number;
}

const PIECE_BYTES = 1024 * 1024;
/** Zeros of this many bytes that follow each other become a hole. */
const HOLE_BYTES = 64 * 1024;
const { O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;

/** The bytes of what is going to be copied. */
export async function sumOf(source: CopySide, pace: () => Promise<void>): Promise<number> {
  const stats = await at(source.text, () => source.fs.lstat(source.path));
  await pace();
  if (!stats.isDirectory()) return stats.size;
  let sum = 0;
  for (const name of await at(source.text, () => source.fs.readdir(source.path))) {
    sum += await sumOf(inside(source, checkedName(source, name)), pace);
  }
  return sum;
}

/** Copies to a place: into it if that is a directory, else as it. */
export async function copyAll(
  sources: readonly CopySide[],
  to: CopySide,
  options: CopyOptions,
): Promise<Copied> {
  const there = await statsOf(to, true);
  if (!there?.isDirectory() && (sources.length > 1 || to.path.endsWith('/'))) {
    throw new Problem(`${to.text}: ${there ? 'is no directory' : 'there is no such directory'}`);
  }
  const copy = new Copy(options);
  for (const source of sources) {
    const name = lastName(source);
    const into = there?.isDirectory() === true && name !== '' && name !== '.' && name !== '..';
    await copy.top(source, into ? inside(to, name) : to);
  }
  return copy.done;
}

class Copy {
  readonly done: Copied = { files: 0, directories: 0, links: 0, bytes: 0 };
  readonly #options: CopyOptions;
  /** Where files with several names have been copied to. */
  readonly #copies = new Map<string, CopySide>();

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  async top(source: CopySide, to: CopySide): Promise<void> {
    // A link that is named itself stands for what it leads to, unless trees are copied.
    const follow = !this.#options.recursive;
    const stats = await at(source.text, () =>
      follow ? source.fs.stat(source.path) : source.fs.lstat(source.path),
    );
    if (stats.isDirectory() && !this.#options.recursive) {
      throw new Problem(`${source.text}: is a directory (-r copies it)`);
    }
    if (source.volume === to.volume && isWithin(to.path, source.path, stats.isDirectory())) {
      throw new Problem(`${source.text}: cannot be copied ${stats.isDirectory() ? 'into' : 'over'} itself`);
    }
    await this.#node(source, stats, to);
  }

  async #node(source: CopySide, stats: CopyStats, to: CopySide): Promise<void> {
    await this.#options.pace(this.done.bytes, source.text);
    if (stats.isDirectory()) return this.#directory(source, stats, to);
    const there = await statsOf(to, false);
    if (there?.isDirectory()) throw new Problem(`${to.text}: is a directory, and ${source.text} is none`);
    if (stats.isSymbolicLink()) return this.#link(source, stats, to, there);
    if (!stats.isFile()) return this.#options.skipped(`${source.text}: a ${typeOf(stats)} is not copied`);
    // What a link leads to is not written: the link is replaced.
    if (there && !there.isFile()) await at(to.text, () => to.fs.unlink(to.path));
    if (await this.#linked(source, stats, to, there)) return;
    await this.#file(source, stats, to);
  }

  async #directory(source: CopySide, stats: CopyStats, to: CopySide): Promise<void> {
    const there = await statsOf(to, false);
    if (there && !there.isDirectory())
      throw new Problem(`${to.text}: is no directory, and ${source.text} is one`);
    if (!there) await at(to.text, () => to.fs.mkdir(to.path, { mode: 0o700 }));
    for (const name of await at(source.text, () => source.fs.readdir(source.path))) {
      const inner = inside(source, checkedName(source, name));
      await this.#node(inner, await at(inner.text, () => inner.fs.lstat(inner.path)), inside(to, name));
    }
    this.done.directories += 1;
    await this.#attributes(stats, to);
  }

  async #link(source: CopySide, stats: CopyStats, to: CopySide, there: CopyStats | undefined): Promise<void> {
    const target = await at(source.text, () => source.fs.readlink(source.path));
    if (there) await at(to.text, () => to.fs.unlink(to.path));
    try {
      await to.fs.symlink(target, to.path);
    } catch (error) {
      if (!cannotLink(error)) return at(to.text, () => Promise.reject(error));
      return this.#options.skipped(`${source.text}: there are no links where it would be copied to`);
    }
    this.done.links += 1;
    await at(to.text, async () => {
      if (this.#options.owner) await to.fs.lchown(to.path, stats.uid, stats.gid);
      await to.fs.lutimes(to.path, stats.atimeMs / 1000, stats.mtimeMs / 1000);
    });
  }

  /** Gives a file that was copied before another name; false if it has to be copied. */
  async #linked(
    source: CopySide,
    stats: CopyStats,
    to: CopySide,
    there: CopyStats | undefined,
  ): Promise<boolean> {
    if (stats.nlink < 2) return false;
    const key = `${source.volume}:${stats.dev}:${stats.ino}`;
    const first = this.#copies.get(key);
    if (first === undefined) {
      this.#copies.set(key, to);
      return false;
    }
    if (there?.isFile()) await at(to.text, () => to.fs.unlink(to.path));
    try {
      await to.fs.link(first.path, to.path);
    } catch (error) {
      if (cannotLink(error)) return false;
      await at(to.text, () => Promise.reject(error));
    }
    this.done.links += 1;
    return true;
  }

  async #file(source: CopySide, stats: CopyStats, to: CopySide): Promise<void> {
    const from = await at(source.text, () => source.fs.open(source.path, O_RDONLY));
    let complete = false;
    try {
      const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW;
      const into = await at(to.text, () => to.fs.open(to.path, flags, 0o600));
      try {
        await this.#content(source, from, to, into);
        complete = true;
      } finally {
        await into.close();
        if (!complete) await to.fs.unlink(to.path).catch(() => {});
      }
    } finally {
      await from.close();
    }
    this.done.files += 1;
    await this.#attributes(stats, to);
  }

  async #content(source: CopySide, from: CopyFile, to: CopySide, into: CopyFile): Promise<void> {
    const buffer = new Uint8Array(PIECE_BYTES);
    let position = 0;
    let hole = false;
    for (;;) {
      const start = position;
      const { bytesRead } = await at(source.text, () => from.read(buffer, 0, buffer.length, start));
      if (bytesRead === 0) break;
      for (let offset = 0; offset < bytesRead; ) {
        const { zero, length } = runOf(buffer, offset, bytesRead);
        if (!zero)
          await at(to.text, () => writeAll(into, buffer, { offset, length, position: start + offset }));
        hole = zero;
        offset += length;
      }
      position += bytesRead;
      this.done.bytes += bytesRead;
      await this.#options.pace(this.done.bytes, source.text);
    }
    if (hole) await at(to.text, () => into.truncate(position));
  }

  async #attributes(stats: CopyStats, to: CopySide): Promise<void> {
    await at(to.text, async () => {
      if (this.#options.owner && to.keepsPermissions) await to.fs.lchown(to.path, stats.uid, stats.gid);
      // Whoever does not keep owners does not let others run as them either.
      if (to.keepsPermissions)
        await to.fs.chmod(to.path, stats.mode & (this.#options.owner ? 0o7777 : 0o1777));
      await to.fs.lutimes(to.path, stats.atimeMs / 1000, stats.mtimeMs / 1000);
    });
  }
}

interface Range {
  readonly offset: number;
  readonly length: number;
  readonly position: number;
}

async function writeAll(
  file: CopyFile,
  buffer: Uint8Array,
  { offset, length, position }: Range,
): Promise<void> {
  for (let done = 0; done < length; ) {
    done += (await file.write(buffer, offset + done, length - done, position + done)).bytesWritten;
  }
}

/** How far zeros, or what is none, go on from here. */
function runOf(
  buffer: Uint8Array,
  from: number,
  end: number,
): { readonly zero: boolean; readonly length: number } {
  const pieceEnd = (start: number): number => Math.min(start + HOLE_BYTES, end);
  const zero = isZero(buffer, from, pieceEnd(from));
  let to = pieceEnd(from);
  while (to < end && isZero(buffer, to, pieceEnd(to)) === zero) to = pieceEnd(to);
  return { zero, length: to - from };
}

const ZEROES = Buffer.alloc(HOLE_BYTES);

function isZero(buffer: Uint8Array, from: number, to: number): boolean {
  return buffer[from] === 0 && ZEROES.compare(buffer, from, to, 0, to - from) === 0;
}

/** Whether there are no links where one was wanted. */
function cannotLink(error: unknown): boolean {
  const code: unknown = Reflect.get(Object(error), 'code');
  return code === 'ENOTSUP' || code === 'EPERM' || code === 'EOPNOTSUPP' || code === 'EMLINK';
}

/** Refuses a name that would lead elsewhere: an image may be made to do harm. */
function checkedName(directory: CopySide, name: string): string {
  if (name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0'))
    return name;
  throw new Problem(`${directory.text}: has an entry "${name}", which is no name`);
}

async function statsOf(side: CopySide, follow: boolean): Promise<CopyStats | undefined> {
  try {
    return await (follow ? side.fs.stat(side.path) : side.fs.lstat(side.path));
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ENOENT') return undefined;
    return at(side.text, () => Promise.reject(error));
  }
}

function isWithin(path: string, other: string, directory: boolean): boolean {
  const plain = (text: string): string => text.replaceAll(/\/+/g, '/').replace(/(.)\/$/, '$1');
  const [inner, outer] = [plain(path), plain(other)];
  return inner === outer || (directory && inner.startsWith(outer === '/' ? '/' : `${outer}/`));
}

/**
 * Fids: the numbers by which a client names nodes. Each stands for a path below the root of its
 * share, and perhaps for a file or a directory that is open.
 */
import type { FileSystemEntry, OpenDirectory, OpenFile } from '@ginit/core/file_system';
import { ERRNO, NinePError } from './wire.ts';

/** The number that stands for no fid. */
export const NO_FID = 0xffff_ffff;
/** A path that is longer has no place in a File_system session. */
const PATH_CHARACTERS_MAX = 4000;

/** A directory that is read, and the entries that were fetched and not given out. */
export interface ReadDirectory {
  readonly directory: OpenDirectory;
  /** The number of the first entry in `fetched`. */
  first: number;
  fetched: readonly FileSystemEntry[];
}

/** What a fid stands for. */
export interface Fid {
  /** The names from the root on. */
  path: readonly string[];
  /** Who has attached. */
  readonly uid: number;
  file?: OpenFile | undefined;
  directory?: ReadDirectory | undefined;
  /** Whatever is written goes behind the end. */
  appends?: boolean;
}

/** The fids of one client. */
export class Fids {
  readonly #max: number;
  readonly #fids = new Map<number, Fid>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Throws if there is no such fid. */
  get(number: number): Fid {
    const fid = this.#fids.get(number);
    if (fid) return fid;
    throw new NinePError(ERRNO.badHandle, `there is no fid ${number}`);
  }

  /** Throws if the number is taken, or if there are too many. */
  add(number: number, fid: Fid): void {
    if (number === NO_FID || this.#fids.has(number))
      throw new NinePError(ERRNO.badHandle, `fid ${number} is taken`);
    if (this.#fids.size >= this.#max) throw new NinePError(ERRNO.tooManyFiles, 'too many fids');
    this.#fids.set(number, fid);
  }

  /** Lets it stand for something else. */
  replace(number: number, fid: Fid): void {
    this.#fids.set(number, fid);
  }

  /** Gives a fid up, and closes what is open. */
  async clunk(number: number): Promise<void> {
    const fid = this.get(number);
    this.#fids.delete(number);
    await closeFid(fid);
  }

  /** Gives all of them up. */
  async clunkAll(): Promise<void> {
    const all = [...this.#fids.values()];
    this.#fids.clear();
    for (const fid of all) await closeFid(fid).catch(() => {});
  }

  /** A node was renamed: fids of it and of what is below it have other paths from now on. */
  renamed(from: readonly string[], to: readonly string[]): void {
    for (const fid of this.#fids.values()) {
      if (from.every((name, index) => fid.path[index] === name))
        fid.path = [...to, ...fid.path.slice(from.length)];
    }
  }
}

async function closeFid({ file, directory }: Fid): Promise<void> {
  try {
    await file?.close();
  } finally {
    await directory?.directory.close();
  }
}

/** The path of names. Throws if it is too long. */
export function pathOf(names: readonly string[]): string {
  const path = `/${names.join('/')}`;
  if (path.length > PATH_CHARACTERS_MAX) throw new NinePError(ERRNO.nameTooLong);
  return path;
}

/** A name of one component, as it is for what is made or removed. Throws for any other. */
export function checkedName(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0'))
    throw new NinePError(ERRNO.invalid, 'no name of one component');
  return name;
}

/** The names after one step of a walk; `..` stays within the root. Throws for what is no name. */
export function stepped(path: readonly string[], name: string): readonly string[] {
  if (name === '..') return path.slice(0, -1);
  if (name === '.') return path;
  return [...path, checkedName(name)];
}

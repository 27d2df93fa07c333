import type { Findings } from '../report.ts';
import type { FfsGeometry } from './geometry.ts';
import type { FfsImage } from './image.ts';

export const ROOT = 2;

/** What the first pass has seen of an inode in use, and the later ones of its names. */
export interface InodeState {
  readonly type: number;
  readonly size: number;
  readonly links: number;
  /** Entries that lead to it, with the `.` and `..` of directories. */
  names: number;
  /** The directory with an entry for it, if it is a directory; 0 for none so far. */
  parent: number;
  /** What the `..` of it leads to. */
  dots: number;
}

/** What the passes of one check work with. */
export interface Context {
  readonly geometry: FfsGeometry;
  readonly image: FfsImage;
  readonly found: Findings;
  /** Whether what is found is mended in the image. */
  readonly mends: boolean;
  readonly claims: Claims;
  /** Inodes without names that the log sees to. */
  readonly unnamed: ReadonlySet<number>;
  readonly inodes: Map<number, InodeState>;
  /** Runs of fragments of the directories, by inode: the blocks in order. */
  readonly directories: Map<number, readonly number[]>;
}

/** Whether an inode has no name any more, and the log says so: the next mount frees it. */
export function isLeaving({ unnamed, inodes }: Context, id: number): boolean {
  return unnamed.has(id) && inodes.get(id)?.links === 0;
}

/** Which fragments have an owner. */
export class Claims {
  readonly #map: Uint8Array;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
    this.#map = new Uint8Array(Math.ceil(size / 8));
  }

  /** The first of some fragments that has an owner already; -1 if none has. They have one then. */
  claim(first: number, count: number): number {
    for (let at = first; at < first + count; at += 1) if (this.has(at)) return at;
    for (let at = first; at < first + count; at += 1)
      this.#map[at >>> 3] = (this.#map[at >>> 3] ?? 0) | (1 << (at & 7));
    return -1;
  }

  has(at: number): boolean {
    return (((this.#map[at >>> 3] ?? 0) >>> (at & 7)) & 1) === 1;
  }

  release(first: number, count: number): void {
    for (let at = first; at < first + count; at += 1)
      this.#map[at >>> 3] = (this.#map[at >>> 3] ?? 0) & ~(1 << (at & 7));
  }

  /** The first of `count` fragments in one block that have no owner; -1 for none. */
  findFree(count: number, perBlock: number): number {
    for (let block = 0; block + perBlock <= this.#size; block += perBlock) {
      for (let at = block; at + count <= block + perBlock; at += 1) {
        let free = 0;
        while (free < count && !this.has(at + free)) free += 1;
        if (free === count) return at;
        at += free;
      }
    }
    return -1;
  }
}

/**
 * The journal of ext3 and ext4 (jbd2): a ring of blocks, big-endian, in a file. A transaction is
 * descriptor blocks, each followed by copies of the blocks that it lists; revoke blocks, which say
 * that older copies of a block must not be replayed; and a commit block. What has to be replayed is
 * read here, by code of the checker's own, and nothing is written: the other passes see the blocks
 * as they are afterwards. Source: the kernel's "Journal (jbd2)".
 */
import { castagnoli } from '../crc.ts';
import type { Disk, Logged } from './disk.ts';
import { viewOf } from './disk.ts';
import type { Geometry } from './geometry.ts';
import type { Inode } from './inode.ts';
import { walkBlocks } from './walk.ts';

const MAGIC = 0xc03b_3998;
const TYPE = { descriptor: 1, commit: 2, superblock1: 3, superblock2: 4, revoke: 5 };
const FEATURE = { revoke: 0x1, wide: 0x2, asynchronous: 0x4, checksums2: 0x8, checksums3: 0x10, fast: 0x20 };
const TAG = { escaped: 1, same: 2, deleted: 4, last: 8 };

/** What a superblock of a journal says. */
interface Head {
  readonly length: number;
  readonly first: number;
  readonly sequence: number;
  readonly start: number;
  readonly features: number;
  readonly seed: number;
}

interface Copy {
  readonly target: number;
  readonly logged: Logged;
}

/** Reads a journal. Returns what a replay would write. */
export async function readJournal(
  geometry: Geometry,
  disk: Disk,
  inode: Inode,
): Promise<ReadonlyMap<number, Logged>> {
  const nothing = new Map<number, Logged>();
  const blocks = await blocksOf(geometry, disk, inode);
  const [first] = blocks;
  if (inode.kind !== 'file' || first === undefined) {
    disk.found.damage(`journal: inode ${inode.id} is no file with blocks`);
    return nothing;
  }
  const bytes = await disk.block(first, 'journal: superblock');
  const head = bytes === undefined ? undefined : headOf(geometry, disk, bytes.slice(), blocks.length);
  if (head === undefined) return nothing;
  if (head.start === 0) return nothing;
  const log = new Log(disk, blocks, head);
  const replayed = await log.read();
  disk.found.harmless(
    `journal: ${log.transactions} transactions from ${head.sequence} on have to be replayed`,
  );
  if (!geometry.needs('recover'))
    disk.found.harmless('superblock: does not say that the journal has to be replayed');
  return replayed;
}

/** The blocks of the journal's file, as far as none is missing. */
async function blocksOf(geometry: Geometry, disk: Disk, inode: Inode): Promise<readonly number[]> {
  const blocks: number[] = [];
  const nodes = new Set<number>();
  const state = { whole: true };
  await walkBlocks(disk, inode, {
    node(block) {
      if (!geometry.inside(block, 1) || nodes.has(block)) return false;
      nodes.add(block);
      return true;
    },
    data(logical, block, count) {
      state.whole &&= logical === blocks.length && geometry.inside(block, count);
      if (!state.whole || blocks.length > geometry.blocks) return;
      for (let index = 0; index < count; index += 1) blocks.push(block + index);
    },
    wrong() {},
  });
  return blocks;
}

function headOf(geometry: Geometry, disk: Disk, bytes: Uint8Array, blocks: number): Head | undefined {
  const view = viewOf(bytes);
  const wrong = (what: string): undefined => {
    disk.found.damage(`journal: superblock: ${what}`);
  };
  const type = view.getUint32(4);
  if (view.getUint32(0) !== MAGIC || (type !== TYPE.superblock1 && type !== TYPE.superblock2))
    return wrong('magic number');
  const features = type === TYPE.superblock1 ? 0 : view.getUint32(40);
  const uuid = bytes.slice(48, 64);
  const checksums = (features & (FEATURE.checksums2 | FEATURE.checksums3)) !== 0;
  if (checksums) {
    const zeroed = bytes.slice(0, 1024);
    zeroed.fill(0, 252, 256);
    if (castagnoli(0xffff_ffff, zeroed) !== view.getUint32(252)) return wrong('wrong checksum');
  }
  if ((features & ~0x3f) !== 0) return wrong(`unknown features 0x${features.toString(16)}`);
  const fast = (features & FEATURE.fast) === 0 ? 0 : view.getUint32(84) === 0 ? 256 : view.getUint32(84);
  const [length, first, start] = [view.getUint32(16), view.getUint32(20), view.getUint32(28)];
  if (view.getUint32(12) !== geometry.blockBytes) return wrong(`blocks of ${view.getUint32(12)} bytes`);
  if (length > blocks || first < 1 || first >= length - fast)
    return wrong(`${length} blocks, from ${first} on, of ${blocks}`);
  if (start !== 0 && (start < first || start >= length - fast)) return wrong(`begins with block ${start}`);
  const seed = castagnoli(0xffff_ffff, uuid);
  return { length: length - fast, first, sequence: view.getUint32(24), start, features, seed };
}

/** One reading of a journal's transactions. */
class Log {
  transactions = 0;
  readonly #disk: Disk;
  readonly #blocks: readonly number[];
  readonly #head: Head;
  readonly #checksums: boolean;
  readonly #replayed = new Map<number, Logged & { readonly sequence: number }>();
  readonly #revoked = new Map<number, number>();

  constructor(disk: Disk, blocks: readonly number[], head: Head) {
    this.#disk = disk;
    this.#blocks = blocks;
    this.#head = head;
    this.#checksums = (head.features & (FEATURE.checksums2 | FEATURE.checksums3)) !== 0;
  }

  async read(): Promise<ReadonlyMap<number, Logged>> {
    let [at, sequence] = [this.#head.start, this.#head.sequence];
    const copies: (Copy & { readonly sequence: number })[] = [];
    for (let visited = 0; visited < this.#head.length; ) {
      const one = await this.#transaction(at, sequence);
      if (one === undefined) break;
      for (const copy of one.copies) copies.push({ ...copy, sequence });
      for (const block of one.revoked) this.#revoked.set(block, sequence);
      this.transactions += 1;
      visited += one.taken;
      at = one.next;
      sequence = (sequence + 1) >>> 0;
    }
    for (const { target, logged, sequence: from } of copies) {
      const revoked = this.#revoked.get(target);
      if (revoked === undefined || ((from - revoked) | 0) > 0)
        this.#replayed.set(target, { ...logged, sequence: from });
    }
    return this.#replayed;
  }

  /** A transaction, from block `start` of the ring on. Undefined if none was committed there. */
  async #transaction(
    start: number,
    sequence: number,
  ): Promise<{ copies: Copy[]; revoked: number[]; next: number; taken: number } | undefined> {
    const copies: Copy[] = [];
    const revoked: number[] = [];
    let at = start;
    for (let taken = 1; taken <= this.#head.length; taken += 1) {
      const bytes = await this.#block(at);
      const view = viewOf(bytes ?? new Uint8Array(12));
      if (bytes === undefined || view.getUint32(0) !== MAGIC || view.getUint32(8) !== sequence)
        return undefined;
      at = this.#after(at, 1);
      switch (view.getUint32(4)) {
        case TYPE.descriptor: {
          if (!this.#tailIntact(bytes)) return undefined;
          const tags = this.#tags(view);
          for (const { target, escaped } of tags) {
            copies.push({ target, logged: { block: this.#blocks[at] ?? 0, escaped } });
            at = this.#after(at, 1);
          }
          taken += tags.length;
          break;
        }
        case TYPE.revoke:
          if (!this.#tailIntact(bytes)) return undefined;
          revoked.push(...this.#revocations(view));
          break;
        case TYPE.commit:
          if (!this.#commitIntact(bytes)) return undefined;
          return { copies, revoked, next: at, taken };
        default:
          return undefined;
      }
    }
    return undefined;
  }

  #after(at: number, count: number): number {
    const next = at + count;
    return next < this.#head.length ? next : next - this.#head.length + this.#head.first;
  }

  async #block(at: number): Promise<Uint8Array | undefined> {
    return (await this.#disk.block(this.#blocks[at] ?? 0, 'journal'))?.slice();
  }

  #tags(view: DataView): { readonly target: number; readonly escaped: boolean }[] {
    const { features } = this.#head;
    const wide = (features & FEATURE.wide) !== 0;
    const third = (features & FEATURE.checksums3) !== 0;
    const bytes = third ? 16 : (wide ? 12 : 8) + ((features & FEATURE.checksums2) === 0 ? 0 : 2);
    const end = view.byteLength - (this.#checksums ? 4 : 0);
    const tags: { readonly target: number; readonly escaped: boolean }[] = [];
    for (let at = 12; at + bytes <= end && tags.length < this.#head.length; ) {
      const flags = third ? view.getUint32(at + 4) : view.getUint16(at + 6);
      const high = wide ? view.getUint32(at + 8) * 2 ** 32 : 0;
      tags.push({ target: view.getUint32(at) + high, escaped: (flags & TAG.escaped) !== 0 });
      at += bytes + ((flags & TAG.same) === 0 ? 16 : 0);
      if ((flags & TAG.last) !== 0) break;
    }
    return tags;
  }

  #revocations(view: DataView): number[] {
    const bytes = (this.#head.features & FEATURE.wide) === 0 ? 4 : 8;
    const end = Math.min(view.getUint32(12), view.byteLength - (this.#checksums ? 4 : 0));
    const list: number[] = [];
    for (let at = 16; at + bytes <= end; at += bytes)
      list.push(bytes === 4 ? view.getUint32(at) : view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4));
    return list;
  }

  #tailIntact(bytes: Uint8Array): boolean {
    if (!this.#checksums) return true;
    const zeroed = bytes.slice();
    zeroed.fill(0, bytes.length - 4);
    return castagnoli(this.#head.seed, zeroed) === viewOf(bytes).getUint32(bytes.length - 4);
  }

  #commitIntact(bytes: Uint8Array): boolean {
    if (!this.#checksums) return true;
    const zeroed = bytes.slice();
    zeroed.fill(0, 16, 20);
    return castagnoli(this.#head.seed, zeroed) === viewOf(bytes).getUint32(16);
  }
}

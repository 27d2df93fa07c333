/**
 * The blocks of a file: by twelve direct pointers and three trees of pointers, or by a tree of
 * extents. Nodes are read only if nobody had them before, so that a walk ends whatever they say.
 */
import { castagnoli } from '../crc.ts';
import { type Disk, viewOf } from './disk.ts';
import { FLAG, type Inode } from './inode.ts';

const EXTENT_MAGIC = 0xf30a;
const DEPTH_MAX = 5;
const DIRECT = 12;

/** What a walk finds. */
export interface Visitor {
  /** A block of the map; false where it must not be read. */
  node(block: number): boolean;
  /** Adjacent blocks with contents, or kept for such. */
  data(logical: number, block: number, count: number, unwritten: boolean): void;
  wrong(what: string): void;
}

/** Visits all blocks of a file. */
export async function walkBlocks(disk: Disk, inode: Inode, visitor: Visitor): Promise<void> {
  if (inode.has(FLAG.inline) || inode.isShortLink) return;
  if (inode.kind === 'device' || inode.kind === 'other') return;
  if (inode.has(FLAG.extents)) await new ExtentWalk(disk, inode, visitor).run();
  else await walkPointers(disk, inode, visitor);
}

async function walkPointers(disk: Disk, inode: Inode, visitor: Visitor): Promise<void> {
  const view = viewOf(inode.map);
  const perBlock = inode.geometry.blockBytes / 4;
  for (let index = 0; index < DIRECT; index += 1) {
    const block = view.getUint32(index * 4, true);
    if (block !== 0) visitor.data(index, block, 1, false);
  }
  let logical = DIRECT;
  for (let depth = 1; depth <= 3; depth += 1) {
    const block = view.getUint32((DIRECT + depth - 1) * 4, true);
    if (block !== 0) await walkPointerBlock(disk, inode, visitor, block, depth, logical);
    logical += perBlock ** depth;
  }
}

async function walkPointerBlock(
  disk: Disk,
  inode: Inode,
  visitor: Visitor,
  block: number,
  depth: number,
  logical: number,
): Promise<void> {
  if (!visitor.node(block)) return;
  const bytes = await disk.block(block, `${inode.name}: pointers`);
  if (bytes === undefined) return;
  // A copy: others are read meanwhile.
  const view = viewOf(depth > 1 ? bytes.slice() : bytes);
  const perBlock = inode.geometry.blockBytes / 4;
  for (let index = 0; index < perBlock; index += 1) {
    const next = view.getUint32(index * 4, true);
    if (next === 0) continue;
    const place = logical + index * perBlock ** (depth - 1);
    if (depth === 1) visitor.data(place, next, 1, false);
    else await walkPointerBlock(disk, inode, visitor, next, depth - 1, place);
  }
}

/** The logical blocks that a node may speak of, and the first of them if it must begin there. */
interface Range {
  readonly first: number;
  readonly end: number;
}

class ExtentWalk {
  readonly #disk: Disk;
  readonly #inode: Inode;
  readonly #visitor: Visitor;

  constructor(disk: Disk, inode: Inode, visitor: Visitor) {
    this.#disk = disk;
    this.#inode = inode;
    this.#visitor = visitor;
  }

  async run(): Promise<void> {
    const depth = viewOf(this.#inode.map).getUint16(6, true);
    const whole = { first: 0, end: 2 ** 32 };
    if (depth > DEPTH_MAX) this.#visitor.wrong(`extents in the inode: a tree of depth ${depth}`);
    else await this.#node(this.#inode.map, 0, depth, whole);
  }

  async #node(bytes: Uint8Array, block: number, depth: number, range: Range): Promise<void> {
    const where = block === 0 ? 'extents in the inode' : `extents in block ${block}`;
    const view = viewOf(bytes);
    const [entries, room] = [view.getUint16(2, true), view.getUint16(4, true)];
    const wrong = this.#wrongHeader(view, depth, block);
    if (wrong !== '') {
      this.#visitor.wrong(`${where}: ${wrong}`);
      return;
    }
    if (block !== 0) this.#checkChecksum(bytes, room, where);
    let end = range.first;
    for (let index = 0; index < entries; index += 1) {
      const at = 12 + index * 12;
      const logical = view.getUint32(at, true);
      const following = index + 1 < entries ? view.getUint32(at + 12, true) : range.end;
      if (logical < end || (index === 0 && block !== 0 && logical !== range.first)) {
        this.#visitor.wrong(`${where}: entry ${index} begins with ${logical}, not ${end}`);
        if (logical < end) continue;
      }
      if (depth > 0) {
        const low = view.getUint32(at + 4, true);
        await this.#below(low + view.getUint16(at + 8, true) * 2 ** 32, depth, {
          first: logical,
          end: following,
        });
        end = logical + 1;
      } else {
        end = logical + this.#leaf(view, at, logical, range.end, `${where}: entry ${index}`);
      }
    }
  }

  #wrongHeader(view: DataView, depth: number, block: number): string {
    const [magic, entries, room] = [
      view.getUint16(0, true),
      view.getUint16(2, true),
      view.getUint16(4, true),
    ];
    if (magic !== EXTENT_MAGIC) return `magic number 0x${magic.toString(16)}`;
    if (view.getUint16(6, true) !== depth) return `depth ${view.getUint16(6, true)}, not ${depth}`;
    if (room === 0 || 12 + room * 12 > view.byteLength || entries > room)
      return `${entries} entries in room for ${room}`;
    if (entries === 0 && (depth > 0 || block !== 0)) return 'no entries';
    return '';
  }

  #checkChecksum(bytes: Uint8Array, room: number, where: string): void {
    if (!this.#inode.geometry.checksums) return;
    const end = 12 + room * 12;
    const said = end + 4 <= bytes.length ? viewOf(bytes).getUint32(end, true) : 0;
    if (said !== castagnoli(this.#inode.seed, bytes.subarray(0, end)))
      this.#visitor.wrong(`${where}: wrong checksum`);
  }

  async #below(block: number, depth: number, range: Range): Promise<void> {
    if (!this.#visitor.node(block)) return;
    const bytes = await this.#disk.block(block, `${this.#inode.name}: extents`);
    if (bytes !== undefined) await this.#node(bytes.slice(), block, depth - 1, range);
  }

  /** Visits an extent. Returns how many blocks it has. */
  #leaf(view: DataView, at: number, logical: number, end: number, where: string): number {
    const length = view.getUint16(at + 4, true);
    const unwritten = length > 0x8000;
    const count = unwritten ? length - 0x8000 : length;
    const block = view.getUint16(at + 6, true) * 2 ** 32 + view.getUint32(at + 8, true);
    if (count === 0 || logical + count > end) {
      this.#visitor.wrong(`${where}: ${count} blocks from ${logical} on, of ${end}`);
      return Math.max(1, Math.min(count, end - logical));
    }
    this.#visitor.data(logical, block, count, unwritten);
    return count;
  }
}

/**
 * The hash tree of a large directory. Its root is the first block, behind records for "." and "..",
 * of which the second takes the whole block; nodes are blocks with one empty record. Entries are
 * pairs of a hash and a logical block; the first has, instead of a hash, the room and the number of
 * entries. A block has the names whose hashes lie from its entry's on and before the next one's.
 */
import { castagnoli } from '../crc.ts';
import type { Context } from './context.ts';
import { viewOf } from './disk.ts';
import type { Entry } from './entry.ts';
import { FLAG, type Inode } from './inode.ts';
import { hashOf } from './name-hash.ts';

/** What an entry of a node says of a block. */
interface Reference {
  readonly from: number;
  /** Undefined: up to the last one. */
  readonly to: number | undefined;
  readonly depth: number;
}

export class HashTree {
  readonly #context: Context;
  readonly #inode: Inode;
  readonly #references = new Map<number, Reference>();
  /** The lowest and the highest hash of each leaf. */
  readonly #leaves = new Map<number, { readonly low: number; readonly high: number }>();
  readonly #nodes = new Map<
    number,
    { readonly entries: readonly (readonly [number, number])[]; readonly place: string }
  >();
  #version = 0;
  #levels = 0;

  constructor(context: Context, inode: Inode) {
    this.#context = context;
    this.#inode = inode;
  }

  /** Whether a block is a node: its first record is empty and takes the whole block. */
  isNode(bytes: Uint8Array, logical: number): boolean {
    if (logical === 0) return true;
    const view = viewOf(bytes);
    const length = view.getUint16(4, true);
    const whole = length === bytes.length || (bytes.length === 65_536 && (length === 0 || length === 65_535));
    if (view.getUint32(0, true) !== 0 || !whole || view.getUint8(6) !== 0) return false;
    const room = this.#roomFrom(8);
    return view.getUint16(8, true) === room;
  }

  #roomFrom(start: number): number {
    const tail = this.#context.geometry.checksums ? 8 : 0;
    return Math.floor((this.#context.geometry.blockBytes - start - tail) / 8);
  }

  node(bytes: Uint8Array, logical: number, place: string): void {
    const { found, geometry } = this.#context;
    const view = viewOf(bytes);
    const wrong = (what: string): void => found.damage(`${place}: hash tree: ${what}`);
    const start = logical === 0 ? 32 : 8;
    if (logical === 0) {
      this.#version = view.getUint8(28) + ((geometry.long(352) & 2) !== 0 && view.getUint8(28) < 3 ? 3 : 0);
      this.#levels = view.getUint8(30);
      const most = geometry.needs('largeDirectory') ? 2 : 1;
      if (view.getUint8(29) !== 8 || view.getUint32(24, true) !== 0) wrong('no root');
      if (this.#version > 6) wrong(`unknown hash ${view.getUint8(28)}`);
      if (this.#levels > most) wrong(`${this.#levels} levels`);
    }
    const [room, count] = [view.getUint16(start, true), view.getUint16(start + 2, true)];
    if (room !== this.#roomFrom(start) || count === 0 || count > room) {
      wrong(`${count} entries in room for ${room}`);
      return;
    }
    if (geometry.checksums && !this.#intact(bytes, start, room, count)) wrong('wrong checksum');
    const entries: (readonly [number, number])[] = [];
    let last = 0;
    for (let index = 0; index < count; index += 1) {
      const at = start + index * 8;
      const hash = index === 0 ? 0 : view.getUint32(at, true);
      if (hash < last) wrong(`entry ${index} is out of order`);
      last = hash;
      entries.push([hash, view.getUint32(at + 4, true) & 0x0fff_ffff]);
    }
    this.#nodes.set(logical, { entries, place });
  }

  #intact(bytes: Uint8Array, start: number, room: number, count: number): boolean {
    const tail = start + room * 8;
    const crc = castagnoli(this.#inode.seed, bytes.subarray(0, start + count * 8));
    const whole = castagnoli(castagnoli(crc, bytes.subarray(tail, tail + 4)), new Uint8Array(4));
    return viewOf(bytes).getUint32(tail + 4, true) === whole;
  }

  leaf(logical: number, entries: readonly Entry[]): void {
    let [low, high] = [Infinity, -1];
    const opaque = this.#inode.has(FLAG.casefold) || this.#inode.has(FLAG.encrypted);
    const seed = this.#context.geometry.bytes.subarray(236, 252);
    for (const { name } of opaque ? [] : entries) {
      const hash = hashOf(this.#version, seed, name) ?? 0;
      low = Math.min(low, hash);
      high = Math.max(high, hash);
    }
    this.#leaves.set(logical, { low, high });
  }

  /** Follows the tree from its root, when all blocks were seen. */
  finish(where: string): void {
    const { found } = this.#context;
    const tasks: { readonly logical: number; readonly reference: Reference }[] = [
      { logical: 0, reference: { from: 0, to: undefined, depth: this.#levels } },
    ];
    for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
      const node = this.#nodes.get(task.logical);
      if (node === undefined) continue;
      for (const [index, [hash, logical]] of node.entries.entries()) {
        const [next] = node.entries[index + 1] ?? [task.reference.to];
        const from = index === 0 ? task.reference.from : hash;
        if (this.#references.has(logical) || logical === 0) {
          found.damage(`${node.place}: hash tree: block ${logical} a second time`);
          continue;
        }
        const reference = { from, to: next, depth: task.reference.depth - 1 };
        this.#references.set(logical, reference);
        if (task.reference.depth > 0) {
          if (this.#nodes.has(logical)) tasks.push({ logical, reference });
          else found.damage(`${node.place}: hash tree: block ${logical} is no node`);
        } else this.#checkLeaf(node.place, logical, reference);
      }
    }
    for (const logical of this.#leaves.keys())
      if (!this.#references.has(logical))
        found.damage(`${where}: hash tree: nothing leads to block ${logical}`);
  }

  #checkLeaf(place: string, logical: number, { from, to }: Reference): void {
    const { found } = this.#context;
    const leaf = this.#leaves.get(logical);
    if (leaf === undefined) {
      found.damage(`${place}: hash tree: there is no block ${logical} with names`);
      return;
    }
    if (leaf.high < 0) return;
    // With the lowest bit an entry says that names with its hash are in the block before, too.
    const below = leaf.low < (from & ~1) >>> 0;
    const above = to !== undefined && (leaf.high > (to & ~1) >>> 0 || (leaf.high === to && (to & 1) === 0));
    if (below || above)
      found.damage(`${place}: hash tree: block ${logical} has names with hashes that are not its own`);
  }
}

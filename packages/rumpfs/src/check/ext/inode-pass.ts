/**
 * The first pass: all inodes. Each is looked at by itself, its blocks are claimed, and what it says
 * of their number and of its size is compared with them.
 */
import { type AttributeFacts, attributesInBlock, attributesInInode } from './attributes.ts';
import { type Context, ROOT } from './context.ts';
import { viewOf } from './disk.ts';
import { FLAG, Inode } from './inode.ts';
import { type Visitor, walkBlocks } from './walk.ts';
import { INODES_UNUSED } from './groups.ts';

const RESIZE_INODE = 7;
const BAD_BLOCKS_INODE = 1;

/** A block of attributes, and what its users are. */
interface AttributeBlock {
  readonly said: number;
  seen: number;
  readonly facts: AttributeFacts;
}

/** What was counted of an inode's blocks. */
interface Tally {
  clusters: number;
  /** The last logical block, and the last one with contents; -1 for none. */
  last: number;
  lastWritten: number;
}

export class InodePass {
  readonly #context: Context;
  readonly #attributeBlocks = new Map<number, AttributeBlock>();

  constructor(context: Context) {
    this.#context = context;
  }

  async run(): Promise<void> {
    await eachInode(this.#context, (inode) => this.#inode(inode));
    for (const [block, { said, seen }] of this.#attributeBlocks) {
      if (said !== seen)
        this.#context.found.harmless(`attributes in block ${block}: have ${seen} users, but say ${said}`);
    }
  }

  async #inode(inode: Inode): Promise<void> {
    const { geometry, orphans, inodes, found } = this.#context;
    const reserved = inode.id < geometry.firstInode && inode.id !== ROOT;
    const orphan = orphans.has(inode.id);
    if (inode.id === ROOT && (inode.links === 0 || inode.kind !== 'directory'))
      found.damage('inode 2: is no directory, but should be the root');
    if (inode.links === 0 && !orphan && !reserved) {
      if (inode.mode !== 0 && inode.deleted === 0)
        found.harmless(`${inode.name}: is free, but was never removed`);
      return;
    }
    if (reserved && inode.mode === 0 && inode.map.every((byte) => byte === 0)) return;
    inodes.set(inode.id, inode.kind, inode.entryType, inode.links);
    if (inode.kind === 'file' && !reserved) found.files += 1;
    if (inode.kind === 'directory') found.directories += 1;
    this.#checkFields(inode, reserved, orphan);
    const facts = this.#attributes(inode, attributesInInode(inode), 'attributes in the inode');
    const tally = await this.#claimBlocks(inode);
    await this.#attributeBlock(inode, tally);
    if (inode.id === RESIZE_INODE) await checkResizeInode(this.#context, inode);
    else this.#compare(inode, tally, facts);
  }

  #checkFields(inode: Inode, reserved: boolean, orphan: boolean): void {
    const { found, geometry } = this.#context;
    const { kind, name, id } = inode;
    if (!inode.intact) found.damage(`${name}: wrong checksum`);
    if (kind === 'wrong' || (kind === 'free' && id !== BAD_BLOCKS_INODE))
      found.damage(`${name}: unknown type in mode 0x${inode.mode.toString(16)}`);
    if (reserved && kind !== 'file' && kind !== 'free' && kind !== 'wrong')
      found.harmless(`${name}: is reserved, but a ${kind}`);
    if (inode.deleted !== 0 && inode.links > 0 && !orphan && !reserved)
      found.harmless(`${name}: is in use, but has a time of deletion`);
    if (inode.has(FLAG.extents) && !geometry.needs('extents'))
      found.damage(`${name}: extents without their feature`);
    if (inode.has(FLAG.inline) && !geometry.needs('inlineData'))
      found.damage(`${name}: inline data without its feature`);
    if (inode.has(FLAG.inline) && inode.has(FLAG.extents)) found.damage(`${name}: extents and inline data`);
    if (inode.has(FLAG.index) && (kind !== 'directory' || !geometry.knows('directoryIndex')))
      found.harmless(`${name}: a flag of hash trees`);
    if (kind === 'device' || kind === 'other') {
      // Kernels leave old pointers behind the number of a device.
      if (inode.has(FLAG.extents)) found.harmless(`${name}: a device with blocks`);
    }
    if (kind === 'directory' && inode.size >= 2 ** 32 && !geometry.needs('largeDirectory'))
      found.harmless(`${name}: a directory with the upper half of a size`);
    if (viewOf(inode.bytes).getUint32(112, true) !== 0 && kind !== 'free')
      found.harmless(`${name}: has a fragment`);
    if (kind === 'file' && inode.size >= 2 ** 31 && !geometry.has('largeFile') && geometry.long(76) > 0)
      found.harmless(`superblock: no large_file, but ${name} has ${inode.size} bytes`);
  }

  #attributes(inode: Inode, facts: AttributeFacts, where: string): AttributeFacts {
    const { found, valueUses } = this.#context;
    if (facts.wrong !== '') found.damage(`${inode.name}: ${where}: ${facts.wrong}`);
    for (const id of facts.valueInodes) valueUses.set(id, (valueUses.get(id) ?? 0) + 1);
    return facts;
  }

  async #attributeBlock(inode: Inode, tally: Tally): Promise<void> {
    const { geometry, disk, found, claims } = this.#context;
    const block = inode.attributeBlock;
    if (block === 0) return;
    tally.clusters += 1;
    const known = this.#attributeBlocks.get(block);
    if (known !== undefined) {
      known.seen += 1;
      this.#attributes(inode, { ...known.facts, wrong: '' }, '');
      return;
    }
    if (!geometry.inside(block, 1)) {
      found.damage(`${inode.name}: attributes in block ${block}, which there is not`);
      return;
    }
    if (!claims.take(block)) return;
    const bytes = await disk.block(block, `${inode.name}: attributes`);
    if (bytes === undefined) return;
    const facts = attributesInBlock(geometry, bytes, block);
    this.#attributeBlocks.set(block, { said: viewOf(bytes).getUint32(4, true), seen: 1, facts });
    this.#attributes(inode, facts, `attributes in block ${block}`);
  }

  async #claimBlocks(inode: Inode): Promise<Tally> {
    const { disk, directories } = this.#context;
    const tally: Tally = { clusters: 0, last: -1, lastWritten: -1 };
    const list: number[] = [];
    await walkBlocks(disk, inode, new Claimer(this.#context, inode, tally, list));
    if (inode.kind === 'directory') directories.set(inode.id, list);
    return tally;
  }

  /** Compares size and number of blocks with what was found. */
  #compare(inode: Inode, tally: Tally, facts: AttributeFacts): void {
    const { found, geometry } = this.#context;
    const { size, name } = inode;
    const sectors = (tally.clusters * geometry.ratio * geometry.blockBytes) / 512;
    if (sectors !== inode.sectors && inode.id !== BAD_BLOCKS_INODE)
      found.harmless(`${name}: ${inode.sectors} sectors, but has ${sectors}`);
    const wrong = (what: string): void => found.damage(`${name}: ${size} bytes, but ${what}`);
    if (inode.has(FLAG.inline)) {
      const stored = 60 + (facts.inlineBytes ?? 0);
      if (facts.inlineBytes === undefined) found.damage(`${name}: inline data without its attribute`);
      else if (inode.kind === 'directory' ? size !== stored : size > stored) wrong(`${stored} are inline`);
    } else if (inode.kind === 'directory') {
      if (size === 0 || size % geometry.blockBytes !== 0) wrong('a directory has whole blocks');
      else if (size / geometry.blockBytes !== tally.last + 1) wrong(`${tally.last + 1} blocks`);
    } else if (inode.kind === 'symlink') {
      this.#checkLink(inode, tally);
    } else if (inode.kind === 'file' && !inode.has(FLAG.verity)) {
      if (size < tally.lastWritten * geometry.blockBytes) wrong(`block ${tally.lastWritten} has contents`);
      else if (inode.has(FLAG.extents) && size > 2 ** 32 * geometry.blockBytes)
        wrong('there is no map for that');
    }
  }

  #checkLink(inode: Inode, tally: Tally): void {
    const { found, geometry } = this.#context;
    const { size, name } = inode;
    if (size === 0 || size > geometry.blockBytes) found.damage(`${name}: a link of ${size} bytes`);
    else if (inode.has(FLAG.encrypted)) return;
    else if (inode.isShortLink) {
      const length = inode.map.indexOf(0);
      if ((length < 0 ? 60 : length) !== size)
        found.damage(`${name}: a link of ${size} bytes, but ${length} are there`);
    } else if (tally.last !== 0) found.damage(`${name}: a link of ${size} bytes without its block`);
  }
}

/** Claims the blocks of an inode and counts them. */
class Claimer implements Visitor {
  readonly #context: Context;
  readonly #inode: Inode;
  readonly #tally: Tally;
  readonly #list: number[];
  readonly #nodes = new Set<number>();
  #lastCluster = -1;
  #lastLogicalCluster = -1;

  constructor(context: Context, inode: Inode, tally: Tally, list: number[]) {
    this.#context = context;
    this.#inode = inode;
    this.#tally = tally;
    this.#list = list;
  }

  node(block: number): boolean {
    const { geometry, claims } = this.#context;
    if (!geometry.inside(block, 1)) return this.wrong(`a block of its map is ${block}, which there is not`);
    this.#tally.clusters += 1;
    if (this.#inode.id === RESIZE_INODE && claims.isStructure(block)) {
      const fresh = !this.#nodes.has(block);
      this.#nodes.add(block);
      return fresh;
    }
    return claims.take(block) || this.wrong(`block ${block} of its map belongs to another`);
  }

  data(logical: number, block: number, count: number, unwritten: boolean): void {
    const { geometry, claims } = this.#context;
    if (!geometry.inside(block, count)) {
      this.wrong(`logical block ${logical} is block ${block}, which there is not`);
      return;
    }
    this.#tally.last = Math.max(this.#tally.last, logical + count - 1);
    if (!unwritten) this.#tally.lastWritten = Math.max(this.#tally.lastWritten, logical + count - 1);
    if (this.#inode.id === RESIZE_INODE && claims.isStructure(block)) return;
    for (let index = 0; index < count; index += 1) {
      const taken = this.#take(logical + index, block + index);
      if (taken && this.#inode.kind === 'directory') this.#list.push(logical + index, block + index);
    }
  }

  wrong(what: string): false {
    this.#context.found.damage(`${this.#inode.name}: ${what}`);
    return false;
  }

  #take(logical: number, block: number): boolean {
    const { geometry, claims } = this.#context;
    const cluster = geometry.clusterOf(block);
    const logicalCluster = Math.floor(logical / geometry.ratio);
    if (geometry.ratio > 1) {
      if ((block - geometry.firstBlock) % geometry.ratio !== logical % geometry.ratio)
        return this.wrong(`logical block ${logical} is block ${block}: not at the same place of a cluster`);
      if (cluster === this.#lastCluster && logicalCluster === this.#lastLogicalCluster) return true;
    }
    [this.#lastCluster, this.#lastLogicalCluster] = [cluster, logicalCluster];
    this.#tally.clusters += 1;
    if (claims.take(block)) return true;
    if (claims.isStructure(block))
      this.wrong(`logical block ${logical} is block ${block}, a structure of the file system`);
    return false;
  }
}

/** Calls `visit` with each inode of the used parts of the tables. */
export async function eachInode(context: Context, visit: (inode: Inode) => Promise<void>): Promise<void> {
  const { geometry, groups, disk } = context;
  const perBlock = geometry.blockBytes / geometry.inodeBytes;
  for (const [number, group] of groups.entries()) {
    if ((group.flags & INODES_UNUSED) !== 0) continue;
    const count = geometry.inodesPerGroup - group.unusedInodes;
    for (let first = 0; first < count; first += perBlock) {
      const block = await disk.block(group.table + first / perBlock, `group ${number}: inode table`);
      if (block === undefined) continue;
      const view = viewOf(block);
      for (let index = 0; index < Math.min(perBlock, count - first); index += 1) {
        const at = index * geometry.inodeBytes;
        const id = number * geometry.inodesPerGroup + first + index + 1;
        const free = view.getUint16(at, true) === 0 && view.getUint16(at + 26, true) === 0;
        if (free && id >= geometry.firstInode && !context.orphans.has(id)) continue;
        await visit(new Inode(geometry, id, block.slice(at, at + geometry.inodeBytes)));
      }
    }
  }
}

/**
 * The inode that keeps blocks for more descriptors: a block of pointers to those in group 0, each
 * of which is a block of pointers to those that belong with it in the groups with copies.
 */
async function checkResizeInode(context: Context, inode: Inode): Promise<void> {
  const { geometry, disk, found } = context;
  if (!geometry.knows('resizeInode')) return;
  const wrong = (what: string): void => found.harmless(`inode 7: ${what}`);
  const perBlock = geometry.blockBytes / 4;
  const doubly = viewOf(inode.map).getUint32(13 * 4, true);
  if (geometry.reservedBlocks === 0 || doubly === 0) return;
  if (!geometry.inside(doubly, 1)) return;
  const bytes = (await disk.block(doubly, 'inode 7: pointers'))?.slice();
  if (bytes === undefined) return;
  const copies = Array.from({ length: geometry.groups }, (_unused, group) => group).filter(
    (group) => group > 0 && geometry.hasCopy(group),
  );
  for (let index = 0; index < geometry.reservedBlocks; index += 1) {
    const expected = geometry.copyBlock(0) + 1 + geometry.descriptorBlocks + index;
    const place = (geometry.descriptorBlocks + index) % perBlock;
    if (viewOf(bytes).getUint32(place * 4, true) !== expected) {
      wrong(`pointer ${place} in block ${doubly} is not ${expected}`);
      return;
    }
    const pointers = await disk.block(expected, 'inode 7: pointers');
    const view = viewOf(pointers ?? new Uint8Array(geometry.blockBytes));
    const bad = copies.find(
      (group, at) =>
        at < perBlock && view.getUint32(at * 4, true) !== expected + group * geometry.blocksPerGroup,
    );
    if (bad !== undefined) {
      wrong(`block ${expected} does not lead to its copy in group ${bad}`);
      return;
    }
  }
}

import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { FsError } from '../errors.ts';
import type { DirectoryBlocks } from './directory-block.ts';
import { sealIndex, sealLeaf } from './directory-checksum.ts';
import type { RecordPlace } from './directory-record.ts';
import { RECORD_HEADER_BYTES } from './directory-record.ts';
import { INCOMPATIBLE_FEATURE } from './features.ts';
import {
  countOf,
  hashAt,
  type HashEntry,
  hashEntriesOf,
  hashVersionOf,
  indexStart,
  isRoot,
  LEVELS_MAX,
  LEVELS_MAX_LARGE,
  levelsOf,
  logicalOf,
  roomFor,
  searchHash,
  setLevels,
  writeHashEntries,
  writeHashNode,
  writeHashRoot,
} from './hash-node.ts';
import { splitLeaf, type SplitRecord } from './hash-split.ts';
import { type Inode, INODE_FLAG } from './inode.ts';
import { type HashParameters, hashOfName } from './name-hash.ts';
import type { Volume } from './volume.ts';

/** The directory of a hash tree, as the tree sees it. */
export interface TreeDirectory {
  readonly volume: Volume;
  readonly inode: Inode;
  readonly blocks: DirectoryBlocks;
  /** The device's block for a logical block. */
  blockAt(logical: number): Promise<number>;
  /** Adds an empty block, and resolves to its logical number. */
  append(): Promise<number>;
}

/** A node of the tree on the way to a leaf, and the entry that leads on. */
interface TreeStep {
  readonly logical: number;
  readonly index: number;
  readonly full: boolean;
}

/** The way to a block of names. */
interface TreeWay {
  readonly steps: readonly TreeStep[];
  readonly leaf: number;
}

/** Tries to have several blocks in memory together before that is given up. */
const GATHER_TRIES_MAX = 64;

/**
 * The hash tree of a directory: which block has the names with which hashes. The blocks that the
 * tree has of its own look empty to whoever follows the records.
 */
export class HashTree {
  readonly #directory: TreeDirectory;
  readonly #parameters: HashParameters;

  constructor(directory: TreeDirectory) {
    const { hashSeed, hashIsUnsigned } = directory.volume.superblock;
    this.#directory = directory;
    this.#parameters = { seed: hashSeed, unsigned: hashIsUnsigned };
  }

  /** Whether the directory says that it has a tree. */
  get used(): boolean {
    const { inode, volume } = this.#directory;
    return (inode.flags & INODE_FLAG.directoryIndex) !== 0 && volume.superblock.indexesDirectories;
  }

  /**
   * The place of a name; undefined where there is none, `'unusable'` if only a search through all
   * blocks can tell.
   */
  async find(name: Uint8Array): Promise<RecordPlace | 'unusable' | undefined> {
    const { blocks } = this.#directory;
    const found = await this.#wayTo(name);
    if (found === undefined) return 'unusable';
    const { hash } = found;
    for (let way: TreeWay | undefined = found.way; way !== undefined; ) {
      const leaf = await this.#buffer(way.leaf);
      if (indexStart(this.#directory.volume, leaf.view, way.leaf) > 0) return 'unusable';
      const offset = blocks.find(leaf, way.leaf, name);
      if (offset >= 0) return { logical: way.leaf, offset };
      way = await this.#continuation(way, hash);
    }
    return undefined;
  }

  /**
   * A place with room for a name, where its hash demands; blocks are split as needed. Undefined if
   * the tree cannot be used, or where that would need a split which no order of writes makes safe.
   */
  async makeRoom(name: Uint8Array, neededBytes: number): Promise<RecordPlace | undefined> {
    const { blocks, volume } = this.#directory;
    for (;;) {
      const found = await this.#wayTo(name);
      if (found === undefined) return undefined;
      const { leaf } = found.way;
      const buffer = await this.#buffer(leaf);
      if (indexStart(volume, buffer.view, leaf) > 0) throw this.#wrong(leaf, 'is no block of names');
      const offset = blocks.findRoom(buffer, leaf, neededBytes);
      if (offset >= 0) return { logical: leaf, offset };
      // Without a journal and checksums the tree is given up instead: what a split costs then is a
      // sync of the device, and the tree can be made again from the names.
      if (!volume.journalled && !volume.superblock.checksums) return undefined;
      await this.#split(found.way, found.version);
    }
  }

  /** Makes the only block of a directory the root of a tree, and its names a block of their own. */
  async plant(): Promise<void> {
    const { volume, inode } = this.#directory;
    const version = volume.superblock.hashVersion;
    const logical = await this.#directory.append();
    const [root, leaf] = await this.#gather(0, logical);
    const records = this.#records(root, 0, version).filter(({ offset }) => offset > 12);
    splitLeaf(volume, leaf.bytes, records);
    writeHashRoot(volume, root.bytes, version, logical);
    inode.flags |= INODE_FLAG.directoryIndex;
    this.#markLeaf(leaf);
    this.#markIndex(root, 0);
  }

  /** The way to the block for a name; undefined if there is no usable tree. */
  async #wayTo(
    name: Uint8Array,
  ): Promise<{ readonly way: TreeWay; readonly hash: number; readonly version: number } | undefined> {
    const { volume } = this.#directory;
    const root = await this.#buffer(0);
    if (!isRoot(volume, root.view)) return undefined;
    const version = hashVersionOf(root.view);
    const hash = hashOfName(version, this.#parameters, name);
    if (hash === undefined) return undefined;
    const levels = levelsOf(root.view);
    const steps: TreeStep[] = [];
    let logical = 0;
    let buffer = root;
    for (let level = 0; ; level += 1) {
      const start = this.#startOf(buffer, logical);
      const index = searchHash(buffer.view, start, hash);
      const next = logicalOf(buffer.view, start, index);
      steps.push({ logical, index, full: countOf(buffer.view, start) >= roomFor(volume, start) });
      if (level === levels) return { way: { steps, leaf: next }, hash, version };
      logical = next;
      buffer = await this.#buffer(logical);
    }
  }

  /** The way to the next block if that goes on with names of the same hash. */
  async #continuation({ steps }: TreeWay, hash: number): Promise<TreeWay | undefined> {
    for (let level = steps.length - 1; level >= 0; level -= 1) {
      const step = steps[level];
      if (step === undefined) return undefined;
      const buffer = await this.#buffer(step.logical);
      const start = this.#startOf(buffer, step.logical);
      const index = step.index + 1;
      if (index >= countOf(buffer.view, start)) continue;
      const continued = hashAt(buffer.view, start, index);
      if ((continued & 1) === 0 || (continued & ~1) >>> 0 !== hash) return undefined;
      return this.#leftmost([...steps.slice(0, level), { ...step, index }], steps.length);
    }
    return undefined;
  }

  /** The way down from the last of these steps, by the first entries of the nodes below. */
  async #leftmost(steps: readonly TreeStep[], count: number): Promise<TreeWay> {
    const way = [...steps];
    for (;;) {
      const last = way.at(-1) ?? { logical: 0, index: 0, full: false };
      const buffer = await this.#buffer(last.logical);
      const next = logicalOf(buffer.view, this.#startOf(buffer, last.logical), last.index);
      if (way.length >= count) return { steps: way, leaf: next };
      way.push({ logical: next, index: 0, full: false });
    }
  }

  /** Splits the block of names at the end of a way, or a node above it that has no room. */
  async #split({ steps, leaf }: TreeWay, version: number): Promise<void> {
    const full = steps.findLastIndex((step) => !step.full);
    if (full === steps.length - 1) return this.#splitLeaf(steps.at(-1)?.logical ?? 0, leaf, version);
    const node = steps[full + 1];
    const above = steps[full];
    if (above === undefined) return this.#addLevel();
    if (node !== undefined) await this.#splitNode(above.logical, node.logical);
  }

  /** Moves the upper half of the names of a block, by their hashes, to a new block. */
  async #splitLeaf(parent: number, leaf: number, version: number): Promise<void> {
    const { volume } = this.#directory;
    const added = await this.#directory.append();
    const [index, old, fresh] = await this.#gather(parent, leaf, added);
    const records = this.#records(old, leaf, version).toSorted((one, other) => one.hash - other.hash);
    const middle = middleOf(records, volume.blockSizeBytes);
    const lower = records.slice(0, middle);
    const upper = records.slice(middle);
    const first = upper[0]?.hash ?? 0;
    const continued = lower.at(-1)?.hash === first ? 1 : 0;
    splitLeaf(volume, fresh.bytes, upper);
    this.#markLeaf(fresh);
    if (!volume.journalled) return this.#finishSplit({ parent, leaf, added, hash: first + continued }, lower);
    splitLeaf(volume, old.bytes, lower);
    this.#markLeaf(old);
    this.#enter(index, parent, { hash: first + continued, logical: added });
  }

  /**
   * The rest of a split of names without a journal: the new block is durable before the tree leads
   * to it, and that before the old block loses its names.
   */
  async #finishSplit(
    split: { readonly parent: number; readonly leaf: number; readonly added: number; readonly hash: number },
    lower: readonly SplitRecord[],
  ): Promise<void> {
    const { volume } = this.#directory;
    const { parent, leaf, added, hash } = split;
    await this.#order(added, parent);
    const [index] = await this.#gather(parent);
    this.#enter(index, parent, { hash, logical: added });
    await this.#order(parent, leaf);
    const [old] = await this.#gather(leaf);
    splitLeaf(volume, old.bytes, lower);
    this.#markLeaf(old);
  }

  /** Moves the upper half of the entries of a node to a new node. */
  async #splitNode(parent: number, node: number): Promise<void> {
    const { volume } = this.#directory;
    const added = await this.#directory.append();
    const [fresh, old] = await this.#gather(added, node);
    const start = this.#startOf(old, node);
    const entries = hashEntriesOf(old.view, start);
    const middle = entries.length >>> 1;
    const upper = entries.slice(middle);
    writeHashNode(volume, fresh.bytes, upper);
    this.#markIndex(fresh, added);
    await this.#order(added, parent);
    const [above] = await this.#gather(parent);
    this.#enter(above, parent, { hash: upper[0]?.hash ?? 0, logical: added });
    await this.#order(parent, node);
    const [again] = await this.#gather(node);
    writeHashEntries(volume, again.view, start, entries.slice(0, middle));
    this.#markIndex(again, node);
  }

  /** Moves the entries of the root to a new node, to which the root leads then. */
  async #addLevel(): Promise<void> {
    const { volume, inode } = this.#directory;
    const large = volume.superblock.has(INCOMPATIBLE_FEATURE.largeDirectory);
    const before = await this.#buffer(0);
    if (levelsOf(before.view) >= (large ? LEVELS_MAX_LARGE : LEVELS_MAX)) {
      throw new FsError('FileTooLarge', `${inode.name}: the hash tree of the directory is full`);
    }
    const added = await this.#directory.append();
    const [fresh, old] = await this.#gather(added, 0);
    writeHashNode(volume, fresh.bytes, hashEntriesOf(old.view, this.#startOf(old, 0)));
    this.#markIndex(fresh, added);
    await this.#order(added, 0);
    const [root] = await this.#gather(0);
    writeHashEntries(volume, root.view, this.#startOf(root, 0), [{ hash: 0, logical: added }]);
    setLevels(root.view, levelsOf(root.view) + 1);
    this.#markIndex(root, 0);
  }

  /** Enters a block into a node with room. */
  #enter(buffer: BlockBuffer, logical: number, entry: HashEntry): void {
    const start = this.#startOf(buffer, logical);
    const entries = hashEntriesOf(buffer.view, start);
    const place = searchHash(buffer.view, start, entry.hash) + 1;
    writeHashEntries(this.#directory.volume, buffer.view, start, entries.toSpliced(place, 0, entry));
    this.#markIndex(buffer, logical);
  }

  /** The names of a block, with their hashes. */
  #records(buffer: BlockBuffer, logical: number, version: number): SplitRecord[] {
    const records: SplitRecord[] = [];
    this.#directory.blocks.walk(buffer, logical, (record) => {
      if (record.inode === 0) return false;
      const start = record.offset + RECORD_HEADER_BYTES;
      const end = start + record.nameLength;
      records.push({
        offset: record.offset,
        hash: hashOfName(version, this.#parameters, buffer.bytes, start, end) ?? 0,
        bytes: buffer.bytes.slice(record.offset, record.offset + record.used),
      });
      return false;
    });
    return records;
  }

  /** Where the entries of a node begin, checked. Throws `Corrupt` for anything but a node. */
  #startOf(buffer: BlockBuffer, logical: number): number {
    const { volume } = this.#directory;
    const start = indexStart(volume, buffer.view, logical);
    if (start === 0) throw this.#wrong(logical, 'is no node');
    const count = countOf(buffer.view, start);
    if (count === 0 || count > roomFor(volume, start)) throw this.#wrong(logical, `has ${count} entries`);
    this.#directory.blocks.read(buffer, logical, 0);
    return start;
  }

  #wrong(logical: number, what: string): FsError {
    const { volume, inode } = this.#directory;
    return volume.corrupt(`${inode.name}: hash tree: directory block ${logical} ${what}`);
  }

  /** Makes sure that one block of the directory is durable before another is written. */
  async #order(first: number, then: number): Promise<void> {
    const { volume } = this.#directory;
    if (volume.journalled) return;
    const [ahead, behind] = [await this.#directory.blockAt(first), await this.#directory.blockAt(then)];
    if (!volume.cache.orderNames(ahead, behind)) await volume.cache.flushDurably();
  }

  #markLeaf(buffer: BlockBuffer): void {
    const { volume, inode } = this.#directory;
    volume.cache.markDirty(buffer, buffer.block, 'name', (bytes) => sealLeaf(volume, inode, bytes));
    buffer.verifiedAs = 0;
    sealLeaf(volume, inode, buffer.bytes);
  }

  #markIndex(buffer: BlockBuffer, logical: number): void {
    const { volume, inode } = this.#directory;
    const start = indexStart(volume, buffer.view, logical);
    volume.cache.markDirty(buffer, buffer.block, 'name', (bytes) => sealIndex(volume, inode, bytes, start));
    buffer.verifiedAs = 0;
    sealIndex(volume, inode, buffer.bytes, start);
  }

  async #buffer(logical: number): Promise<BlockBuffer> {
    const { cache } = this.#directory.volume;
    if (logical * cache.blockSizeBytes >= this.#directory.inode.sizeBytes)
      throw this.#wrong(logical, 'lies behind the end');
    const block = await this.#directory.blockAt(logical);
    return cache.peek(block) ?? cache.read(block);
  }

  /** Several blocks of the directory, together in memory until the next `await`. */
  async #gather(
    one: number,
    other = one,
    third = one,
  ): Promise<readonly [BlockBuffer, BlockBuffer, BlockBuffer]> {
    const { cache } = this.#directory.volume;
    const blocks: number[] = [];
    for (const logical of [one, other, third]) blocks.push(await this.#directory.blockAt(logical));
    for (let tries = 0; tries < GATHER_TRIES_MAX; tries += 1) {
      const missing = blocks.find((block) => cache.peek(block) === undefined);
      if (missing !== undefined) {
        await cache.read(missing);
        continue;
      }
      const [first, second, last] = blocks.map((block) => cache.peek(block));
      if (first !== undefined && second !== undefined && last !== undefined) return [first, second, last];
    }
    throw new FsError('NoMemory', `${this.#directory.inode.name}: no memory for a split of its hash tree`);
  }
}

/** The number of records, of those in the order of their hashes, that stay: about half by bytes. */
function middleOf(records: readonly SplitRecord[], blockSizeBytes: number): number {
  let moved = 0;
  let middle = records.length;
  while (middle > 1 && moved + (records[middle - 1]?.bytes.length ?? 0) <= blockSizeBytes / 2) {
    middle -= 1;
    moved += records[middle]?.bytes.length ?? 0;
  }
  return Math.min(middle, records.length - 1);
}

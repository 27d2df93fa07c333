import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { readAround } from '../buffer/read-around.ts';
import { FsError } from '../errors.ts';
import { ENTRY_BYTES } from './boot-sector.ts';
import type { Chain } from './chain.ts';
import { LazyIndex } from '../index/lazy-index.ts';
import { SlotIndex } from '../index/slot-index.ts';
import { type EntryFields, readFields, SLOT_END, SLOT_REMOVED, writeFields } from './entry.ts';
import { ClusterRun } from '../fat/cluster-run.ts';
import { writeEmptyCluster } from '../fat/empty-cluster.ts';
import { blockOfCluster } from '../fat/layout.ts';
import { LONG_NAME_ATTRIBUTE, LONG_NAME_SLOTS_MAX, longNameSlots, slotsFor } from './long-name.ts';
import {
  checksumOf,
  exactShortName,
  foldName,
  type ShortName,
  shortNameCandidates,
  shortNameText,
} from './names.ts';
import { type FoundEntry, SlotWalk, type SlotVisitor } from './slot-walk.ts';
import type { Volume } from './volume.ts';

/** The most slots that a directory may have. */
export const DIRECTORY_SLOTS_MAX = 65_536;

/** So far the chain of a directory is followed, to read on. */
const AHEAD_CLUSTERS = 32;

/** An entry as it is listed. */
export interface ListedEntry extends FoundEntry {
  readonly position: number;
  readonly fields: EntryFields;
}

/** The names of a new entry: slots of its long name, and the short one. */
export interface NewName {
  readonly text: string;
  readonly short: ShortName;
  /** Whether the short name says all. */
  readonly exact: boolean;
}

/**
 * The entries of one directory. The vnode layer holds its lock: shared to look, exclusive to
 * change. What is in it is indexed in memory when it is first used; without memory for that
 * everything works, block by block.
 */
export class Directory {
  readonly chain: Chain;
  readonly #volume: Volume;
  readonly #owner: string;
  readonly #fixed: boolean;
  readonly #slotsPerBlock: number;
  readonly #index: LazyIndex<SlotIndex>;
  /**
   * The first slot that was put in use at the end and is not durable, and the flushes before that.
   */
  #extendedFrom = 0;
  #extendedAt = -1;

  /**
   * @param fixed whether it is the root directory of FAT12 or FAT16, which has a place of its own
   */
  constructor(volume: Volume, chain: Chain, owner: string, fixed: boolean) {
    this.#volume = volume;
    this.chain = chain;
    this.#owner = owner;
    this.#fixed = fixed;
    this.#slotsPerBlock = volume.layout.blockBytes / ENTRY_BYTES;
    this.#index = new LazyIndex(
      () => new SlotIndex(volume.indexes),
      (index) => this.#fill(index),
    );
  }

  /** The entry of a name. */
  async find(text: string): Promise<ListedEntry | undefined> {
    const folded = foldName(text);
    const index = await this.#index.use();
    if (index !== undefined) {
      const found = await this.#findIndexed(index, folded);
      // Another directory may have taken the index's memory meanwhile.
      if (found !== undefined || index.usable) return found;
    }
    let result: ListedEntry | undefined;
    await this.#walk(0, {
      entry: (found, _bytes, view, offset) => {
        if (foldName(found.name) !== folded && foldName(found.shortName) !== folded) return false;
        result = this.#listed(found, view, offset);
        return true;
      },
    });
    return result;
  }

  /** The entry in a slot. */
  async at(slot: number): Promise<ListedEntry | undefined> {
    let result: ListedEntry | undefined;
    await this.#walk(await this.#firstSlotOf(slot), {
      entry: (found, _bytes, view, offset) => {
        if (found.slot === slot) result = this.#listed(found, view, offset);
        return found.slot >= slot;
      },
    });
    return result;
  }

  /** Entries from a slot on, without `.` and `..`. */
  async list(
    cursor: number,
    entriesMax: number,
  ): Promise<{ readonly entries: ListedEntry[]; readonly nextCursor: number | undefined }> {
    const entries: ListedEntry[] = [];
    let nextCursor: number | undefined;
    await this.#walk(cursor, {
      entry: (found, _bytes, view, offset) => {
        if (entries.length === entriesMax) {
          nextCursor = found.firstSlot;
          return true;
        }
        entries.push(this.#listed(found, view, offset));
        return false;
      },
    });
    return { entries, nextCursor };
  }

  async isEmpty(): Promise<boolean> {
    return (await this.list(0, 1)).entries.length === 0;
  }

  /** The volume label, which an entry of the root directory has. */
  async label(): Promise<string | undefined> {
    let label: string | undefined;
    await this.#walk(0, {
      entry: () => false,
      label: (text) => {
        label ??= text;
      },
    });
    return label;
  }

  /** Finds the names for a new entry, with a short one that nothing else in the directory has. */
  async nameFor(text: string, exceptSlot = -1): Promise<NewName> {
    const exact = exactShortName(text);
    if (exact !== undefined) return { text, short: exact, exact: true };
    for (const short of shortNameCandidates(text)) {
      const taken = await this.find(shortNameText(short.bytes, 0, 0));
      if (taken === undefined || taken.slot === exceptSlot) return { text, short, exact: false };
    }
    throw new FsError('NoSpace', `no short name is left for "${text}"`);
  }

  /** Free slots for an entry of that name; the directory grows if it must. */
  async makeRoom(name: NewName): Promise<number> {
    const count = slotCount(name);
    const index = await this.#index.use();
    const slot = index === undefined ? await this.#searchRoom(count) : index.findRoom(count);
    if (slot + count > DIRECTORY_SLOTS_MAX) throw new FsError('NoSpace', `${this.#owner} is full`);
    while ((await this.#slots()) < slot + count) await this.#grow();
    return slot;
  }

  /**
   * Enters a name at slots that `makeRoom` gave. The entry itself is written last. The result is
   * its place.
   */
  async insert(
    firstSlot: number,
    name: NewName,
    fields: EntryFields,
  ): Promise<{ slot: number; position: number }> {
    const { short } = name;
    const slots = name.exact ? new Uint8Array(0) : longNameSlots(name.text, checksumOf(short.bytes, 0));
    const slot = firstSlot + slots.length / ENTRY_BYTES;
    await this.#keepEnd(firstSlot, slot + 1);
    for (let offset = 0; offset < slots.length; offset += ENTRY_BYTES) {
      const place = firstSlot + offset / ENTRY_BYTES;
      await this.#change(place, (buffer, within) =>
        buffer.bytes.set(slots.subarray(offset, offset + ENTRY_BYTES), within),
      );
    }
    const position = await this.#change(slot, (buffer, within) => {
      buffer.bytes.fill(0, within, within + ENTRY_BYTES);
      buffer.bytes.set(short.bytes, within);
      buffer.view.setUint8(within + 12, short.caseBits);
      writeFields(buffer.view, within, fields, this.#wide);
    });
    const kept = this.#index.made?.setUsed(firstSlot, slot + 1 - firstSlot, true);
    if (kept === true) {
      for (const folded of foldedNames(name.text, shortNameText(short.bytes, 0, short.caseBits)))
        this.#index.made?.add(folded, slot);
    }
    return { slot, position };
  }

  /** Takes an entry out, with its long name. */
  async remove(found: FoundEntry): Promise<void> {
    for (let slot = found.slot; slot >= found.firstSlot; slot -= 1) {
      await this.#change(slot, (buffer, within) => {
        buffer.bytes[within] = SLOT_REMOVED;
      });
    }
    this.#index.made?.setUsed(found.firstSlot, found.slot + 1 - found.firstSlot, false);
    for (const folded of foldedNames(found.name, found.shortName))
      this.#index.made?.remove(folded, found.slot);
  }

  /** Writes the fields of the entry in a slot. */
  async store(slot: number, fields: EntryFields): Promise<void> {
    await this.#change(slot, (buffer, within) => writeFields(buffer.view, within, fields, this.#wide));
  }

  /** The block of the buffer cache that a slot is in. */
  async blockOf(slot: number): Promise<number> {
    return this.#blockAt(Math.floor(slot / this.#slotsPerBlock));
  }

  /** The blocks that slots are in, of which the last is before `end`. */
  async blocksOf(slot: number, end: number): Promise<number[]> {
    const blocks: number[] = [];
    const first = slot - (slot % this.#slotsPerBlock);
    for (let at = first; at < end; at += this.#slotsPerBlock) blocks.push(await this.blockOf(at));
    return blocks;
  }

  /**
   * The blocks that must be on the device for an entry to be found there: its own, and those before
   * them since the last sync, which said that the directory ended there.
   */
  async blocksUpTo(slot: number, end: number): Promise<number[]> {
    const extended = !this.#volume.isDurable(this.#extendedAt) && this.#extendedFrom < slot;
    return this.blocksOf(extended ? this.#extendedFrom : slot, end);
  }

  dropIndex(): void {
    this.#index.drop();
  }

  get #wide(): boolean {
    return this.#volume.geometry.bits === 32;
  }

  #listed(found: FoundEntry, view: DataView, offset: number): ListedEntry {
    const position = this.#positionOf(this.#blockWalked, offset);
    return { ...found, position, fields: readFields(view, offset, this.#wide) };
  }

  /** The block whose slots are being visited in this turn. */
  #blockWalked = 0;

  #positionOf(block: number, offset: number): number {
    return block * this.#slotsPerBlock + offset / ENTRY_BYTES;
  }

  /** A slot from which a walk finds the whole name of the entry in `slot`. */
  async #firstSlotOf(slot: number): Promise<number> {
    const block = await this.blockOf(slot);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    let within = slot % this.#slotsPerBlock;
    let back = 0;
    while (within > 0 && (buffer.bytes[(within - 1) * ENTRY_BYTES + 11] ?? 0) === LONG_NAME_ATTRIBUTE) {
      within -= 1;
      back += 1;
    }
    return within > 0 ? slot - back : Math.max(0, slot - LONG_NAME_SLOTS_MAX);
  }

  async #walk(fromSlot: number, visitor: SlotVisitor): Promise<void> {
    const walk = new SlotWalk(visitor, fromSlot);
    let skip = (fromSlot % this.#slotsPerBlock) * ENTRY_BYTES;
    for (let logical = Math.floor(fromSlot / this.#slotsPerBlock); ; logical += 1) {
      const block = await this.#tryBlockAt(logical);
      if (block < 0) {
        visitor.end?.(logical * this.#slotsPerBlock);
        return;
      }
      const buffer = this.#volume.cache.peek(block) ?? (await this.#readOn(logical, block));
      this.#blockWalked = block;
      if (walk.walk(buffer.bytes, buffer.view, skip)) return;
      skip = 0;
    }
  }

  /** Reads a block of the directory, and what lies behind it on the device as in the directory. */
  #readOn(logical: number, block: number): Promise<BlockBuffer> {
    const { cache } = this.#volume;
    readAround(cache, block, block, block + this.#blocksSideBySide(logical));
    return cache.read(block);
  }

  /** The number of blocks from one on that lie side by side, as far as the FAT in memory tells. */
  #blocksSideBySide(logical: number): number {
    const { layout, geometry } = this.#volume;
    if (this.#fixed) return geometry.rootBytes / layout.blockBytes - logical;
    const within = logical % layout.blocksPerCluster;
    const rest = layout.blocksPerCluster - within;
    const run = new ClusterRun();
    try {
      this.chain.tryMap((logical - within) / layout.blocksPerCluster, AHEAD_CLUSTERS, run);
    } catch (error) {
      // A chain that goes wrong later on is told of when the walk comes there.
      if (!(error instanceof FsError)) throw error;
    }
    return rest + Math.max(0, run.count - 1) * layout.blocksPerCluster;
  }

  async #change(slot: number, change: (buffer: BlockBuffer, within: number) => void): Promise<number> {
    const block = await this.#blockAt(Math.floor(slot / this.#slotsPerBlock));
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    const within = (slot % this.#slotsPerBlock) * ENTRY_BYTES;
    change(buffer, within);
    this.#volume.cache.markDirty(buffer, block, 'name');
    return this.#positionOf(block, within);
  }

  /**
   * If slots up to `end` are to be the last in use, nothing left over from older times may follow
   * them.
   */
  async #keepEnd(first: number, end: number): Promise<void> {
    for (let slot = first; slot < end; slot += 1) {
      const block = await this.blockOf(slot);
      const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
      if (buffer.bytes[(slot % this.#slotsPerBlock) * ENTRY_BYTES] !== SLOT_END) continue;
      if (this.#volume.isDurable(this.#extendedAt)) this.#extendedFrom = slot;
      this.#extendedAt = this.#volume.flushes;
      if ((await this.#tryBlockAt(Math.floor(end / this.#slotsPerBlock))) < 0) return;
      await this.#change(end, (next, within) => {
        next.bytes[within] = SLOT_END;
      });
      return;
    }
  }

  async #searchRoom(count: number): Promise<number> {
    let free = 0;
    let room = -1;
    await this.#walk(0, {
      entry: () => room >= 0,
      used: (slot) => {
        if (room < 0 && slot - free >= count) room = free;
        free = slot + 1;
      },
    });
    return room >= 0 ? room : free;
  }

  /** The number of slots that the directory has room for. */
  async #slots(): Promise<number> {
    if (this.#fixed) return this.#volume.geometry.rootBytes / ENTRY_BYTES;
    return ((await this.chain.follow()) * this.#volume.geometry.clusterBytes) / ENTRY_BYTES;
  }

  async #grow(): Promise<void> {
    if (this.#fixed) throw new FsError('NoSpace', 'the root directory of a FAT12 or FAT16 is full');
    const { fat } = this.#volume;
    const run = new ClusterRun();
    const { last } = this.chain;
    await this.#volume.allocate(last + 1, 1, run);
    try {
      await writeEmptyCluster(this.#volume, run.cluster);
      await fat.set(last, run.cluster);
    } catch (error) {
      this.#volume.giveUp(run);
      throw error;
    }
    this.chain.append(run.cluster, 1);
  }

  async #blockAt(logical: number): Promise<number> {
    const block = await this.#tryBlockAt(logical);
    if (block < 0) throw this.#volume.corrupt(`${this.#owner}: it has no block ${logical}`);
    return block;
  }

  /** The device's block of a block of the directory; -1 behind its end. */
  async #tryBlockAt(logical: number): Promise<number> {
    const { layout, geometry } = this.#volume;
    if (this.#fixed) {
      if (logical >= geometry.rootBytes / layout.blockBytes) return -1;
      return (geometry.rootStart - layout.baseBytes) / layout.blockBytes + logical;
    }
    const index = Math.floor(logical / layout.blocksPerCluster);
    if (logical >= DIRECTORY_SLOTS_MAX / this.#slotsPerBlock) return -1;
    const run = new ClusterRun();
    if (!this.chain.tryMap(index, 1, run)) await this.chain.map(index, 1, run);
    if (run.count === 0) return -1;
    return blockOfCluster(layout, run.cluster) + (logical % layout.blocksPerCluster);
  }

  /** Adds all of the directory to its index. */
  async #fill(index: SlotIndex): Promise<boolean> {
    const filled = { fits: true };
    await this.#walk(0, {
      entry: (found) => {
        for (const folded of foldedNames(found.name, found.shortName))
          filled.fits &&= index.add(folded, found.slot);
        return !filled.fits;
      },
      used: (slot) => {
        filled.fits &&= index.setUsed(slot, 1, true);
      },
    });
    return filled.fits;
  }

  async #findIndexed(index: SlotIndex, folded: string): Promise<ListedEntry | undefined> {
    const cursor = { probes: 0 };
    for (;;) {
      const slot = index.candidate(folded, cursor);
      if (slot < 0) return undefined;
      const found = await this.at(slot);
      if (found !== undefined && (foldName(found.name) === folded || foldName(found.shortName) === folded))
        return found;
    }
  }
}

function slotCount(name: NewName): number {
  return name.exact ? 1 : slotsFor(name.text.length) + 1;
}

/** The names under which an entry is found. */
function foldedNames(name: string, shortName: string): readonly string[] {
  const long = foldName(name);
  const short = foldName(shortName);
  return long === short ? [long] : [long, short];
}

import { FsError } from '../errors.ts';
import { LazyIndex } from '../index/lazy-index.ts';
import { SlotIndex } from '../index/slot-index.ts';
import type { Chain } from './chain.ts';
import {
  DIRECTORY_BYTES_MAX,
  type DirectoryOwner,
  DirectorySlots,
  type EntryPlace,
} from './directory-slots.ts';
import { ENTRY, ENTRY_BYTES, ENTRY_SKIPPED, givenUp, isBenign, typeText } from './entry-types.ts';
import { FileSet } from './file-set.ts';
import { type FoundSet, type SetFault, type SetGuard, type SetVisitor, SetWalk } from './set-walk.ts';
import type { Volume } from './volume.ts';

const SLOTS_MAX = DIRECTORY_BYTES_MAX / ENTRY_BYTES;
/** No device writes a smaller piece whole, or not at all. */
const SLOTS_PER_SECTOR = 512 / ENTRY_BYTES;
/** The first entries of a set, which change when a file does. */
const CHANGING_ENTRIES = 2;

/** The entries of a file, at their place. */
export interface PlacedSet {
  readonly slot: number;
  /** The byte on the device where the first one is, divided by the size of an entry. */
  readonly position: number;
  readonly name: string;
  readonly set: FileSet;
  readonly fault: SetFault | undefined;
}

/**
 * The entries of one directory. The vnode layer holds its lock: shared to look, exclusive to
 * change. What is in it is indexed in memory when it is first used; without memory for that
 * everything works, block by block.
 *
 * The first two entries of a set, which change when a file does, are never put into two sectors, so
 * that a power failure leaves both as they were or as they are to be.
 */
export class Directory {
  readonly slots: DirectorySlots;
  readonly #volume: Volume;
  readonly #name: string;
  readonly #owner: DirectoryOwner;
  readonly #index: LazyIndex<SlotIndex>;
  /**
   * The first slot that was put in use at the end and is not durable, and the flushes before that.
   */
  #extendedFrom = 0;
  #extendedAt = -1;

  /** @param name how the directory is called in messages */
  constructor(volume: Volume, chain: Chain, name: string, owner: DirectoryOwner) {
    this.#volume = volume;
    this.#name = name;
    this.#owner = owner;
    this.slots = new DirectorySlots(volume, chain, name, owner);
    this.#index = new LazyIndex(
      () => new SlotIndex(volume.indexes),
      (index) => this.#fill(index),
    );
  }

  /** The entries of a name. */
  async find(text: string): Promise<PlacedSet | undefined> {
    const folded = this.#fold(text);
    const index = await this.#index.use();
    if (index !== undefined) {
      const found = await this.#findIndexed(index, folded);
      // Another directory may have taken the index's memory meanwhile.
      if (found !== undefined || index.usable) return found;
    }
    let result: PlacedSet | undefined;
    await this.walk(0, {
      set: (found) => {
        if (this.#fold(found.name) !== folded) return false;
        result = this.#placed(found);
        return true;
      },
    });
    return result;
  }

  /** The entries that begin in a slot. */
  async at(slot: number): Promise<PlacedSet | undefined> {
    let result: PlacedSet | undefined;
    await this.walk(slot, {
      set: (found) => {
        if (found.slot === slot) result = this.#placed(found);
        return true;
      },
    });
    return result;
  }

  /** Files from a slot on. */
  async list(
    cursor: number,
    entriesMax: number,
  ): Promise<{ readonly entries: PlacedSet[]; readonly nextCursor: number | undefined }> {
    const entries: PlacedSet[] = [];
    let nextCursor: number | undefined;
    await this.walk(cursor, {
      set: (found) => {
        if (found.name === '') return false;
        if (entries.length === entriesMax) {
          nextCursor = found.slot;
          return true;
        }
        entries.push(this.#placed(found));
        return false;
      },
    });
    return { entries, nextCursor };
  }

  /** What keeps the directory from being removed; undefined if it may be. */
  async obstacle(): Promise<FsError | undefined> {
    let obstacle: FsError | undefined;
    await this.walk(0, {
      set: () => {
        obstacle = new FsError('NotEmpty', `${this.#name} is not empty`);
        return true;
      },
      primary: (type) => {
        obstacle ??= new FsError(
          'NotSupported',
          `exfat: ${this.#name} has an unknown entry ${typeText(type)}`,
        );
      },
    });
    return obstacle;
  }

  /** Shows a visitor the slots from one on. */
  async walk(fromSlot: number, visitor: SetVisitor): Promise<void> {
    const { cache, upcase } = this.#volume;
    const { perBlock } = this.slots;
    const walk = new SetWalk(visitor, this.#guard, upcase, fromSlot);
    let skip = (fromSlot % perBlock) * ENTRY_BYTES;
    for (let logical = Math.floor(fromSlot / perBlock); ; logical += 1) {
      const block = await this.slots.blockOf(logical * perBlock);
      if (block < 0) {
        walk.close();
        return;
      }
      const buffer = cache.peek(block) ?? (await this.slots.readOn(logical * perBlock, block));
      if (walk.walk(buffer.bytes, skip, block * perBlock)) return;
      skip = 0;
    }
  }

  /** Free slots for so many entries; the directory grows if it must. */
  async makeRoom(count: number): Promise<number> {
    const index = await this.#index.use();
    const slot = index === undefined ? await this.#searchRoom(count) : index.findRoom(count, mayBegin);
    if (slot + count > SLOTS_MAX) throw new FsError('NoSpace', `${this.#name} is full`);
    while ((await this.slots.count()) < slot + count) await this.slots.grow();
    return slot;
  }

  /** Enters the entries of a file at slots that `makeRoom` gave. The result is their place. */
  async insert(slot: number, set: FileSet): Promise<{ slot: number; position: number }> {
    set.seal();
    const count = set.entries;
    const first = slot > 0 ? slot - 1 : slot;
    const end = Math.min(await this.slots.count(), slot + count + 1);
    await this.slots.change(first, end - first, (entry) => {
      // A slot that was skipped must not be taken for the end.
      if (first < slot && entry(first).bytes[entry(first).within] === ENTRY.end)
        put(entry(first), ENTRY_SKIPPED);
      this.#keepEnd(slot, end, count, entry);
      copy(set, slot, count, entry);
    });
    const index = this.#index.made;
    if (index?.setUsed(slot, count, true) === true) index.add(this.#fold(set.name), slot);
    return { slot, position: await this.slots.positionOf(slot) };
  }

  /** Takes the entries of a file out. */
  async remove({ slot, set }: PlacedSet): Promise<void> {
    await this.slots.change(slot, set.entries, (entry) => {
      for (let index = 0; index < set.entries; index += 1) {
        const at = entry(slot + index);
        put(at, givenUp(at.bytes[at.within] ?? 0));
      }
    });
    this.#index.made?.setUsed(slot, set.entries, false);
    this.#index.made?.remove(this.#fold(set.name), slot);
  }

  /** Writes what changes when a file does, if its entries are in memory. */
  tryStore(slot: number, set: FileSet): boolean {
    return this.slots.tryChange(slot, CHANGING_ENTRIES, (entry) => {
      set.seal();
      copy(set, slot, CHANGING_ENTRIES, entry);
    });
  }

  /**
   * The blocks that must be on the device for entries to be found there: their own, and those
   * before them since the last sync, which said that the directory ended there.
   */
  async blocksUpTo(slot: number, count: number): Promise<number[]> {
    const extended = !this.#volume.isDurable(this.#extendedAt) && this.#extendedFrom < slot;
    return this.slots.blocksOf(extended ? this.#extendedFrom : slot, slot + count);
  }

  dropIndex(): void {
    this.#index.drop();
  }

  #fold(name: string): string {
    return this.#volume.upcase.fold(name);
  }

  #placed({ slot, position, name, bytes, fault }: FoundSet): PlacedSet {
    return { slot, position, name, set: new FileSet(bytes.slice()), fault };
  }

  /** Sees to what no directory may have. */
  readonly #guard: SetGuard = {
    primary: (type) => {
      if (this.#owner.sizeBytes() !== undefined && !isBenign(type))
        throw this.#volume.corrupt(`${this.#name}: it has an entry ${typeText(type)}`);
    },
    stray: (slot, what) => this.#volume.damaged(`${this.#name}: slot ${slot}: ${what}`),
  };

  /**
   * If new entries are to be the last in use, nothing left over from older times may follow them.
   * Called when their slots still are as before.
   */
  #keepEnd(slot: number, end: number, count: number, entry: (slot: number) => EntryPlace): void {
    for (let at = slot; at < slot + count; at += 1) {
      const { bytes, within } = entry(at);
      if (bytes[within] !== ENTRY.end) continue;
      if (slot + count < end) put(entry(slot + count), ENTRY.end);
      if (this.#volume.isDurable(this.#extendedAt)) this.#extendedFrom = slot > 0 ? slot - 1 : 0;
      this.#extendedAt = this.#volume.flushes;
      return;
    }
  }

  async #searchRoom(count: number): Promise<number> {
    let free = 0;
    let room = -1;
    const begin = (from: number): number => (mayBegin(from) ? from : from + 1);
    await this.walk(0, {
      set: () => room >= 0,
      used: (slot) => {
        if (room < 0 && slot - begin(free) >= count) room = begin(free);
        free = slot + 1;
      },
    });
    return room >= 0 ? room : begin(free);
  }

  /** Adds all of the directory to its index. */
  async #fill(index: SlotIndex): Promise<boolean> {
    const filled = { fits: true };
    await this.walk(0, {
      set: (found) => {
        filled.fits &&= index.add(this.#fold(found.name), found.slot);
        return !filled.fits;
      },
      used: (slot) => {
        filled.fits &&= index.setUsed(slot, 1, true);
      },
    });
    return filled.fits;
  }

  async #findIndexed(index: SlotIndex, folded: string): Promise<PlacedSet | undefined> {
    const cursor = { probes: 0 };
    for (;;) {
      const slot = index.candidate(folded, cursor);
      if (slot < 0) return undefined;
      const found = await this.at(slot);
      if (found !== undefined && this.#fold(found.name) === folded) return found;
    }
  }
}

function put({ bytes, within }: EntryPlace, type: number): void {
  bytes[within] = type;
}

/** Whether the entries of a file may begin in a slot: the next one is in the same sector. */
function mayBegin(slot: number): boolean {
  return slot % SLOTS_PER_SECTOR !== SLOTS_PER_SECTOR - 1;
}

/** Puts the first entries of a set into slots. */
function copy(set: FileSet, slot: number, count: number, entry: (slot: number) => EntryPlace): void {
  for (let index = 0; index < count; index += 1) {
    const { bytes, within } = entry(slot + index);
    bytes.set(set.bytes.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES), within);
  }
}

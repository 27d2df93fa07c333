import { ENTRY_BYTES } from './boot-sector.ts';
import { ATTRIBUTE } from '../fat/attribute.ts';
import { SLOT_END, SLOT_REMOVED } from './entry.ts';
import { LONG_NAME_ATTRIBUTE, LongNameReader } from './long-name.ts';
import { isShowable } from '../fat/name-rules.ts';
import { checksumOf, shortNameText } from './names.ts';

/** An entry of a directory with its names. */
export interface FoundEntry {
  /** The slot of the entry itself, and the first of those that belong to it. */
  readonly slot: number;
  readonly firstSlot: number;
  /** The name that is shown. */
  readonly name: string;
  readonly shortName: string;
}

/** Is shown the slots of a directory. */
export interface SlotVisitor {
  /** True ends the walk. The entry's bytes are at `offset` of `bytes`, within this turn. */
  entry(found: FoundEntry, bytes: Uint8Array, view: DataView, offset: number): boolean;
  /** A slot that is in use by whatever it is. */
  used?(slot: number): void;
  /** The first slot behind everything in use. */
  end?(slot: number): void;
  label?(text: string): void;
}

/**
 * A walk through the slots of a directory, block by block, that puts long names together. A long
 * name in front of a volume label belongs to no file.
 */
export class SlotWalk {
  readonly #visitor: SlotVisitor;
  readonly #longName = new LongNameReader();
  #slot: number;

  constructor(visitor: SlotVisitor, firstSlot: number) {
    this.#visitor = visitor;
    this.#slot = firstSlot;
  }

  /** Goes on with the slots of `bytes` from `offset` on. True if the walk has ended. */
  walk(bytes: Uint8Array, view: DataView, from: number): boolean {
    for (let offset = from; offset < bytes.length; offset += ENTRY_BYTES) {
      const slot = this.#slot;
      const first = bytes[offset] ?? SLOT_END;
      if (first === SLOT_END) {
        this.#visitor.end?.(slot);
        return true;
      }
      this.#slot += 1;
      if (first === SLOT_REMOVED) {
        this.#longName.reset();
        continue;
      }
      this.#visitor.used?.(slot);
      const attributes = bytes[offset + 11] ?? 0;
      if ((attributes & 0x3f) === LONG_NAME_ATTRIBUTE) {
        this.#longName.take(bytes, view, offset, slot);
        continue;
      }
      if ((attributes & ATTRIBUTE.volume) !== 0) {
        this.#visitor.label?.(shortLabel(bytes, offset));
        this.#longName.reset();
        continue;
      }
      const found = this.#found(bytes, offset, slot);
      this.#longName.reset();
      if (found !== undefined && this.#visitor.entry(found, bytes, view, offset)) return true;
    }
    return false;
  }

  #found(bytes: Uint8Array, offset: number, slot: number): FoundEntry | undefined {
    const shortName = shortNameText(bytes, offset, bytes[offset + 12] ?? 0);
    const long = this.#longName.nameFor(checksumOf(bytes, offset));
    const firstSlot = long === undefined ? slot : this.#longName.firstSlot;
    if (long !== undefined && isShowable(long)) return { slot, firstSlot, name: long, shortName };
    if (!isShowable(shortName)) return undefined;
    return { slot, firstSlot, name: shortName, shortName };
  }
}

function shortLabel(bytes: Uint8Array, offset: number): string {
  const whole = shortNameText(bytes.slice(offset, offset + 11), 0, 0);
  return whole.includes('.') ? labelOf(bytes, offset) : whole;
}

/** A label has eleven characters, without a dot in between. */
function labelOf(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 11)).trimEnd();
}

import { isShowable, withoutLoneSurrogates } from '../fat/name-rules.ts';
import { ENTRY, ENTRY_BYTES, isBenign, isInUse, isSecondary, typeText } from './entry-types.ts';
import { entriesFor, nameIn, SET_ENTRIES_MAX, setChecksum } from './file-set.ts';
import type { UpcaseTable } from './upcase-table.ts';

/** What is wrong with the entries of a file. */
export type SetFault =
  | { readonly kind: 'damaged'; readonly text: string }
  /** They have something that nobody here knows, and that must not be ignored. */
  | { readonly kind: 'unknown'; readonly text: string };

/** The entries of a file, as a walk meets them. */
export interface FoundSet {
  /** The slot of the first of them. */
  readonly slot: number;
  /** The byte on the device where that is, divided by the size of an entry. */
  readonly position: number;
  /** The name as it is shown; '' if there is none that can be. */
  readonly name: string;
  /** All of them, good within this turn. */
  readonly bytes: Uint8Array;
  readonly fault: SetFault | undefined;
}

/** Is shown the entries of a directory. True as a result ends the walk. */
export interface SetVisitor {
  set(found: FoundSet): boolean;
  /** Another primary entry: of the volume, or unknown. */
  primary?(type: number, bytes: Uint8Array, offset: number): void;
  /** A slot that is in use by whatever it is. */
  used?(slot: number): void;
  /** The first slot behind everything in use. */
  end?(slot: number): void;
}

/** Sees to what no directory may have. */
export interface SetGuard {
  /** Throws `Corrupt` where a primary entry must not be. */
  primary(type: number): void;
  stray(slot: number, what: string): void;
}

/** What is set aside for the entries of a file at first. */
const USUAL_ENTRIES = 19;

/**
 * A walk through the slots of a directory, block by block, that puts together the entries of each
 * file.
 */
export class SetWalk {
  readonly #visitor: SetVisitor;
  readonly #upcase: UpcaseTable;
  readonly #guard: SetGuard;
  #bytes = new Uint8Array(USUAL_ENTRIES * ENTRY_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #slot: number;
  /** The slot where the present set begins; -1 where there is none. */
  #first = -1;
  #position = 0;
  #have = 0;
  #want = 0;

  constructor(visitor: SetVisitor, guard: SetGuard, upcase: UpcaseTable, firstSlot: number) {
    this.#visitor = visitor;
    this.#guard = guard;
    this.#upcase = upcase;
    this.#slot = firstSlot;
  }

  /**
   * Goes on with the slots of `bytes` from byte `from` on. True if the walk has ended.
   *
   * @param position that of the first slot of `bytes`
   */
  walk(bytes: Uint8Array, from: number, position: number): boolean {
    for (let offset = from; offset < bytes.length; offset += ENTRY_BYTES) {
      const slot = this.#slot;
      const type = bytes[offset] ?? ENTRY.end;
      if (type === ENTRY.end) {
        this.#broken();
        this.#visitor.end?.(slot);
        return true;
      }
      this.#slot += 1;
      if (!isInUse(type)) {
        this.#broken();
        continue;
      }
      this.#visitor.used?.(slot);
      if (this.#take(type, bytes, offset, slot, position + offset / ENTRY_BYTES)) return true;
    }
    return false;
  }

  /** Says that there are no more slots. */
  close(): void {
    this.#broken();
    this.#visitor.end?.(this.#slot);
  }

  /** True if the walk has ended. */
  #take(type: number, bytes: Uint8Array, offset: number, slot: number, position: number): boolean {
    if (isSecondary(type)) {
      if (this.#first < 0) {
        this.#guard.stray(slot, `an entry ${typeText(type)} that belongs to none before it`);
        return false;
      }
    } else {
      this.#broken();
      if (type !== ENTRY.file) {
        this.#guard.primary(type);
        this.#visitor.primary?.(type, bytes, offset);
        return false;
      }
      this.#first = slot;
      this.#position = position;
      this.#have = 0;
      this.#want = 1 + (bytes[offset + 1] ?? 0);
      if (this.#want * ENTRY_BYTES > this.#bytes.length) {
        this.#bytes = new Uint8Array(SET_ENTRIES_MAX * ENTRY_BYTES);
        this.#view = new DataView(this.#bytes.buffer);
      }
    }
    this.#bytes.set(bytes.subarray(offset, offset + ENTRY_BYTES), this.#have * ENTRY_BYTES);
    this.#have += 1;
    if (this.#have < this.#want) return false;
    const found = this.#complete();
    this.#first = -1;
    return found === undefined ? false : this.#visitor.set(found);
  }

  /** What was begun does not go on. */
  #broken(): void {
    if (this.#first < 0) return;
    this.#guard.stray(this.#first, `${this.#have} of ${this.#want} entries of a file`);
    this.#first = -1;
  }

  #complete(): FoundSet | undefined {
    const slot = this.#first;
    const bytes = this.#bytes.subarray(0, this.#want * ENTRY_BYTES);
    if (this.#want < 3 || bytes[ENTRY_BYTES] !== ENTRY.stream) {
      this.#guard.stray(slot, 'a file without the entry of its contents');
      return undefined;
    }
    const length = bytes[ENTRY_BYTES + 3] ?? 0;
    const named = 2 + Math.ceil(length / 15);
    for (let entry = 2; entry < named; entry += 1) {
      if (length > 0 && entry < this.#want && bytes[entry * ENTRY_BYTES] === ENTRY.name) continue;
      this.#guard.stray(slot, `a file with ${entry - 2} of ${named - 2} entries of its name`);
      return undefined;
    }
    if (length === 0) {
      this.#guard.stray(slot, 'a file without a name');
      return undefined;
    }
    const name = nameIn(this.#view);
    const shown = withoutLoneSurrogates(name);
    return {
      slot,
      position: this.#position,
      name: isShowable(shown) ? shown : '',
      bytes,
      fault: this.#faultOf(name, bytes),
    };
  }

  #faultOf(name: string, bytes: Uint8Array): SetFault | undefined {
    const view = this.#view;
    const sum = setChecksum(bytes);
    const said = view.getUint16(2, true);
    if (sum !== said) return { kind: 'damaged', text: `its checksum is ${hex(sum)}, not ${hex(said)}` };
    const hash = this.#upcase.hashOf(name);
    const saidHash = view.getUint16(ENTRY_BYTES + 4, true);
    if (hash !== saidHash)
      return { kind: 'damaged', text: `the hash of its name is ${hex(hash)}, not ${hex(saidHash)}` };
    for (let at = entriesFor(name) * ENTRY_BYTES; at < bytes.length; at += ENTRY_BYTES) {
      const type = bytes[at] ?? 0;
      if (!isBenign(type)) return { kind: 'unknown', text: `it has an unknown entry ${typeText(type)}` };
    }
    const size = view.getBigUint64(ENTRY_BYTES + 24, true);
    const valid = view.getBigUint64(ENTRY_BYTES + 8, true);
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) return { kind: 'damaged', text: `it has ${size} bytes` };
    if (valid > size) return { kind: 'damaged', text: `${valid} of its ${size} bytes were written` };
    return undefined;
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}

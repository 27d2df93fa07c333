/**
 * The objects and signal contexts of one component that one peer can reach, by index. An entry
 * lives as long as the peer holds references to it, which the peer gives back by number. A revoked
 * object keeps its entry, so that its index is not taken for another object. Index 0 is the object
 * that both ends start with.
 */
import type { ExportedObject } from '../capability/exported-object.ts';
import type { SignalContext } from '../capability/signal-context.ts';
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/** The kinds of entries. */
export type Exported = ExportedObject | SignalContext;

const INDEX_MAX = 0xffff_ffff;

/** Pays for objects that others hold. */
export interface ObjectAccount {
  /** Pays for one more object. Throws `OUT_OF_CAPS`. */
  take(): void;
  giveBack(): void;
}

interface ExportEntry {
  readonly target: Exported;
  references: number;
}

/** The table of one channel. */
export class ExportTable {
  readonly #entries = new Map<number, ExportEntry>();
  readonly #indexes = new Map<Exported, number>();
  readonly #account: ObjectAccount;
  #nextIndex = 0;
  /** When the table has this many entries, those are counted whose objects are gone. */
  #lookAt: number = LIMITS.dissolvedPerChannel;

  constructor(account: ObjectAccount) {
    this.#account = account;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Puts in the object of index 0. */
  setFirst(target: Exported): void {
    this.#entries.set(0, { target, references: Number.POSITIVE_INFINITY });
    this.#indexes.set(target, 0);
  }

  /**
   * Adds one more reference of the peer's. The same object always has the same index. Throws
   * `RpcError`.
   */
  add(target: Exported): number {
    const known = this.#indexes.get(target);
    const entry = known === undefined ? undefined : this.#entries.get(known);
    if (known !== undefined && entry) {
      entry.references++;
      return known;
    }
    if (this.#entries.size >= LIMITS.exportsPerChannel) {
      throw new RpcError('LimitExceeded', 'the peer holds too many capabilities');
    }
    if (this.#entries.size >= this.#lookAt) this.#lookForDissolved();
    if (target.tables === 0 && !target.paid) this.#account.take();
    target.tables++;
    const index = this.#freeIndex();
    this.#entries.set(index, { target, references: 1 });
    this.#indexes.set(target, index);
    return index;
  }

  /** The channel has ended, and the peer holds nothing any more. */
  clear(): void {
    for (const { target, references } of this.#entries.values()) {
      if (Number.isFinite(references)) this.#gone(target);
    }
    this.#entries.clear();
    this.#indexes.clear();
  }

  /**
   * An object that is gone costs its owner nothing, but its entry takes memory. So nothing more is
   * passed to a peer that holds too many such entries. Throws `LimitExceeded` then.
   */
  #lookForDissolved(): void {
    let dissolved = 0;
    for (const { target } of this.#entries.values()) {
      if (target.kind === 'object' && target.revoked) dissolved++;
    }
    if (dissolved >= LIMITS.dissolvedPerChannel) {
      throw new RpcError('LimitExceeded', 'the peer holds too many capabilities of objects that are gone');
    }
    this.#lookAt = this.#entries.size + LIMITS.dissolvedPerChannel - dissolved;
  }

  /**
   * Indexes grow, so that none is soon used for another object, and wrap within the 32 bits of a
   * frame.
   */
  #freeIndex(): number {
    do {
      this.#nextIndex = this.#nextIndex === INDEX_MAX ? 1 : this.#nextIndex + 1;
    } while (this.#entries.has(this.#nextIndex));
    return this.#nextIndex;
  }

  get(index: number): Exported | undefined {
    return this.#entries.get(index)?.target;
  }

  /** The peer gives back `count` references. False if it does not have as many. */
  release(index: number, count: number): boolean {
    const entry = this.#entries.get(index);
    if (!entry || count > entry.references) return false;
    entry.references -= count;
    if (entry.references === 0) {
      this.#entries.delete(index);
      this.#indexes.delete(entry.target);
      this.#gone(entry.target);
    }
    return true;
  }

  #gone(target: Exported): void {
    target.tables--;
    if (target.tables > 0) return;
    if (!target.paid) this.#account.giveBack();
    if (target.kind === 'object') target.unheld?.();
  }
}

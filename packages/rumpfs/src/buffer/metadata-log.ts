/** A block as it is to be written. */
export interface LoggedBlock {
  readonly block: number;
  readonly bytes: Uint8Array;
}

/**
 * Structures that their owner keeps itself instead of in buffers, such as counts that change with
 * every operation. They are written with the structures of the cache.
 */
export interface OwnStructures {
  /**
   * The blocks that have changed since the last call, as they are now. It is called in the turn in
   * which the structures of the cache are copied.
   */
  take(): readonly LoggedBlock[];
  /**
   * Says whether that what `take` returned last was written. If not, it must be taken again.
   *
   * @param placed whether it is at its place by now, and not in the log only
   */
  written(done: boolean, placed: boolean): void;
}

/**
 * A log on the device, by which the structures of a pass of write-back become durable all together
 * or not at all. One pass is one transaction, which has whole operations in it.
 */
export interface MetadataLog {
  /** Resolves when no operation is under way. No operation begins before `begin`. */
  quiesce(): Promise<void>;
  /** Begins a transaction of these blocks. Other operations may begin from now on. */
  begin(blocks: readonly LoggedBlock[]): void;
  /**
   * Makes the transaction durable, with everything that the device has acknowledged before. Rejects
   * with `InputOutput`; then the blocks belong to no transaction any more. Resolves to false, and
   * has made nothing durable, where the transaction is empty.
   */
  commit(): Promise<boolean>;
  /** Gives the transaction up before it was committed. */
  abandon(): void;
  /** Says that the blocks of the last transaction were written at their own places. */
  placed(): void;
}

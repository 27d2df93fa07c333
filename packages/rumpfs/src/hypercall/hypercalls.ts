/**
 * The hypercall interface: everything that a file system may ask of the world below it, in the
 * manner of NetBSD's rumpuser(3). The code that starts a file system (the component, a test, a
 * command-line tool) implements it and hands it in; there are no globals. rumpuser's threads,
 * scheduler and mutexes have no counterpart to implement here, because JavaScript runs every turn
 * to completion. Code that must exclude others across an `await` uses the primitives of core's room
 * `async`, with the bound of `waiters.ts`.
 */

/**
 * Block I/O. Many requests may be under way at once, and they complete in any order; only `sync`
 * orders them.
 */
export interface BlockIo {
  /** A power of two, 512 or more. */
  readonly sectorSizeBytes: number;
  readonly sectorCount: number;
  readonly writeable: boolean;
  /**
   * Fills `into` (a multiple of the sector size) from `sector` on. `into` is borrowed until the
   * promise settles.
   */
  read(sector: number, into: Uint8Array): Promise<void>;
  /**
   * Writes `from` (a multiple of the sector size) at `sector`. `from` is borrowed until the promise
   * settles.
   */
  write(sector: number, from: Uint8Array): Promise<void>;
  /** Resolves when every write that was acknowledged before the call is durable. */
  sync(): Promise<void>;
}

export interface Hypercalls {
  readonly bio: BlockIo;
  /**
   * The largest number of bytes that buffers, staging areas and directory indexes of one mount may
   * take together.
   */
  readonly memoryBytes: number;
  /** The time of day in milliseconds since 1970 (UTC). */
  now(): Promise<number>;
  /** Fills `into` with random bytes. */
  random(into: Uint8Array): void;
  /** One line for the log, without a newline. */
  console(line: string): void;
}

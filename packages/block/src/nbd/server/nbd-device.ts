/** A device as a server of NBD exports it, in bytes. */

/** An extent of the answer to a question for the state of a range. */
export interface Extent {
  readonly bytes: number;
  /** Whether it reads as zeros, as far as is known without much work. */
  readonly zero: boolean;
}

/**
 * The device. Requests come checked: inside of it, at most `NBD_LIMITS.requestBytes` long, and none
 * that writes if it is not writeable. They need not be aligned to `minimumBytes`: some clients do
 * not ask for that. A failure is an `RpcError`, by preference with a code of Block.
 */
export interface NbdDevice {
  readonly sizeBytes: number;
  readonly writeable: boolean;
  /** The smallest request that needs no work before it; a power of two, at least 512. */
  readonly minimumBytes: number;
  /**
   * Calls `use` once with the bytes. They are valid during that call only, or, if it comes with
   * `release`, until the user calls that.
   */
  read(
    position: number,
    bytes: number,
    use: (payload: Uint8Array, release?: () => void) => void,
  ): Promise<void>;
  /** Writes the parts, one behind the other. */
  write(position: number, bytes: number, parts: readonly Uint8Array[]): Promise<void>;
  /** Settles when everything that was answered before is on stable storage. */
  flush(): Promise<void>;
  trim(position: number, bytes: number): Promise<void>;
  writeZeroes(position: number, bytes: number): Promise<void>;
  /** The state of the range, or of the beginning of it: at least one extent. */
  extents(position: number, bytes: number): Promise<readonly Extent[]>;
}

/** A device under a name by which clients ask for it. */
export interface NbdExport {
  readonly name: string;
  readonly description: string;
  readonly device: NbdDevice;
}

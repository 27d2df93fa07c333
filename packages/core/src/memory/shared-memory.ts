/**
 * Pieces of shared memory: they travel beside frames, and dataspaces and packet streams are made of
 * them. Threads of one process can share any piece. A piece with a memory file can be shared with
 * other processes too, by the keeper of the process; its buffer may be longer than what was asked
 * for, by less than a step.
 */

/** The buffer of a memory file is longer than the part in use by less than this. */
export const MEMORY_STEP_BYTES = 65_536;

/**
 * One word that says whether memory was taken back. Everybody in this process who has the memory
 * sees the same word.
 */
export type MemoryState = Int32Array<SharedArrayBuffer>;

const REVOKED = 1;

/** The word for memory that was not taken back. */
export function newMemoryState(): MemoryState {
  return new Int32Array(new SharedArrayBuffer(4));
}

/**
 * Says that memory is taken back. This comes before its pages are replaced, so that a reader who
 * has read zeros can tell.
 */
export function markRevoked(state: MemoryState): void {
  Atomics.store(state, 0, REVOKED);
}

/** Whether memory has been taken back. */
export function isRevoked(state: MemoryState | undefined): boolean {
  return state !== undefined && Atomics.load(state, 0) === REVOKED;
}

/** A piece of memory. Plain data: it may be posted to another thread. */
export interface MemoryPiece {
  readonly buffer: SharedArrayBuffer;
  /** The number of its memory file in this process, if it has one. */
  readonly file?: number | undefined;
  /** Whether other processes may only read it. */
  readonly sealed?: boolean;
  /** Whether it is sent to one peer only, so that its file is not needed after that. */
  readonly once?: boolean;
  /** Says whether its owner has taken it back; missing if the owner cannot. */
  readonly state?: MemoryState | undefined;
}

/** Makes memory, and takes it back. */
export interface MemorySource {
  /**
   * Zeroed memory of at least `sizeBytes`. It has a file where other processes may share memory.
   */
  allocate(sizeBytes: number): MemoryPiece;
  /**
   * Takes memory that it has made back from everybody. Settles when this process has given it up
   * and the others were told. Where pages cannot be taken from a buffer, only `state` says that it
   * was taken back.
   */
  revoke(piece: MemoryPiece): Promise<void>;
  /**
   * Gives up memory of another component before the garbage collector does, if no other component
   * of this process can have it.
   */
  detach(piece: MemoryPiece): void;
}

/** Says which memory may travel beside the frames of a carrier. */
export interface MemorySharing {
  /** The name of the peer in errors, if more is known than that it shares no memory. */
  readonly peer?: string;
  /** Whether this piece may travel. */
  accepts(piece: MemoryPiece): boolean;
  /** Memory for a packet stream; `undefined` if each end needs memory of its own. */
  allocate(sizeBytes: number): MemoryPiece | undefined;
  /**
   * This end does not need a packet stream's memory any more. It goes now, if it can go before its
   * views do.
   */
  release(piece: MemoryPiece): void;
}

/** For a carrier within one process: any memory may travel. */
export const SHARES_ALL: MemorySharing = {
  accepts: () => true,
  allocate: (sizeBytes) => ({ buffer: new SharedArrayBuffer(sizeBytes) }),
  release: () => {},
};

/** For a carrier that only moves frames: no memory may travel. */
export const SHARES_NONE: MemorySharing = {
  accepts: () => false,
  allocate: () => undefined,
  release: () => {},
};

/** For a carrier to another machine. */
export const SHARES_NO_MACHINE: MemorySharing = { ...SHARES_NONE, peer: 'a peer on another machine' };

/** Makes memory that only threads of this process share. */
export const LOCAL_MEMORY: MemorySource = {
  allocate: (sizeBytes) => ({ buffer: new SharedArrayBuffer(sizeBytes), state: newMemoryState() }),
  revoke: ({ state }) => {
    if (state) markRevoked(state);
    return Promise.resolve();
  },
  detach: () => {},
};

/** Whether a piece that a peer has sent has the size that the peer says. */
export function hasSize({ buffer }: MemoryPiece, sizeBytes: number): boolean {
  return buffer.byteLength >= sizeBytes && buffer.byteLength - sizeBytes < MEMORY_STEP_BYTES;
}

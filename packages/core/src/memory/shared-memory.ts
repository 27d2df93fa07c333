/**
 * Pieces of shared memory, as they travel beside frames and as dataspaces and packet streams are made of them. Threads of
 * one process share any of them. Those that have a memory file can be shared with other processes too, by whoever keeps
 * the process's descriptors; its buffer may then be longer than what was asked for, by less than a step.
 */

/** Buffers of memory files are longer than what is used of them by less than this. */
export const MEMORY_STEP_BYTES = 65_536;

/** One word: whether memory has been taken back. Whoever in this process has the memory sees the same word. */
export type MemoryState = Int32Array<SharedArrayBuffer>;

const REVOKED = 1;

/** Of memory that is there. */
export function newMemoryState(): MemoryState {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Says that memory is taken back: before its pages are, so that who has read zeros from them can tell. */
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
  /** Number of its memory file in this process, if it has one. */
  readonly file?: number | undefined;
  /** Whether other processes may only read it. */
  readonly sealed?: boolean;
  /** Whether it is sent to one peer and nobody else: its file is not needed after that. */
  readonly once?: boolean;
  /** Tells when its owner takes it back, if that can happen. */
  readonly state?: MemoryState | undefined;
}

/** Where memory comes from. */
export interface MemorySource {
  /** Zeroed memory of at least `sizeBytes`; with a file, where other processes may share memory. */
  allocate(sizeBytes: number): MemoryPiece;
  /**
   * Takes memory that it has allocated back from everybody. Settles when this process has given it up and the others have
   * been told. Where there is no way to take pages from a buffer, only `state` says so.
   */
  revoke(piece: MemoryPiece): Promise<void>;
  /** Lets go of memory of somebody else's before the garbage collector does, if nobody else here can have it. */
  detach(piece: MemoryPiece): void;
}

/** Which memory may travel beside the frames of a carrier. */
export interface MemorySharing {
  /** Whether this piece may. */
  accepts(piece: MemoryPiece): boolean;
  /** Memory for a packet stream; undefined if each end needs some of its own. */
  allocate(sizeBytes: number): MemoryPiece | undefined;
  /** This end is finished with a packet stream's memory: it goes now, if it can before its views do. */
  release(piece: MemoryPiece): void;
}

/** Within a process. */
export const SHARES_ALL: MemorySharing = {
  accepts: () => true,
  allocate: (sizeBytes) => ({ buffer: new SharedArrayBuffer(sizeBytes) }),
  release: () => {},
};

/** Where frames are all that there is. */
export const SHARES_NONE: MemorySharing = {
  accepts: () => false,
  allocate: () => undefined,
  release: () => {},
};

/** Memory that only threads of this process share. */
export const LOCAL_MEMORY: MemorySource = {
  allocate: (sizeBytes) => ({ buffer: new SharedArrayBuffer(sizeBytes), state: newMemoryState() }),
  revoke: ({ state }) => {
    if (state) markRevoked(state);
    return Promise.resolve();
  },
  detach: () => {},
};

/** Whether a piece that a peer sent is of the size that it says. */
export function hasSize({ buffer }: MemoryPiece, sizeBytes: number): boolean {
  return buffer.byteLength >= sizeBytes && buffer.byteLength - sizeBytes < MEMORY_STEP_BYTES;
}

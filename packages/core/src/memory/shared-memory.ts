/**
 * Pieces of shared memory, as they travel beside frames and as dataspaces and packet streams are made of them. Threads of
 * one process share any of them. Those that have a memory file can be shared with other processes too, by whoever keeps
 * the process's descriptors; its buffer may then be longer than what was asked for, by less than a step.
 */

/** Buffers of memory files are longer than what is used of them by less than this. */
export const MEMORY_STEP_BYTES = 65_536;

/** A piece of memory. Plain data: it may be posted to another thread. */
export interface MemoryPiece {
  readonly buffer: SharedArrayBuffer;
  /** Number of its memory file in this process, if it has one. */
  readonly file?: number | undefined;
  /** Whether other processes may only read it. */
  readonly sealed?: boolean;
  /** Whether it is sent to one peer and nobody else: its file is not needed after that. */
  readonly once?: boolean;
}

/** Where memory comes from. */
export interface MemorySource {
  /** Zeroed memory of at least `sizeBytes`; with a file, where other processes may share memory. */
  allocate(sizeBytes: number): MemoryPiece;
  /** It will not be passed on any more. Who uses it goes on to do so. */
  release(piece: MemoryPiece): void;
}

/** Which memory may travel beside the frames of a carrier. */
export interface MemorySharing {
  /** Whether this piece may. */
  accepts(piece: MemoryPiece): boolean;
  /** Memory for a packet stream; undefined if each end needs some of its own. */
  allocate(sizeBytes: number): MemoryPiece | undefined;
}

/** Within a process. */
export const SHARES_ALL: MemorySharing = {
  accepts: () => true,
  allocate: (sizeBytes) => ({ buffer: new SharedArrayBuffer(sizeBytes) }),
};

/** Where frames are all that there is. */
export const SHARES_NONE: MemorySharing = { accepts: () => false, allocate: () => undefined };

/** Memory that only threads of this process share. */
export const LOCAL_MEMORY: MemorySource = {
  allocate: (sizeBytes) => ({ buffer: new SharedArrayBuffer(sizeBytes) }),
  release: () => {},
};

/** Whether a piece that a peer sent is of the size that it says. */
export function hasSize({ buffer }: MemoryPiece, sizeBytes: number): boolean {
  return buffer.byteLength >= sizeBytes && buffer.byteLength - sizeBytes < MEMORY_STEP_BYTES;
}

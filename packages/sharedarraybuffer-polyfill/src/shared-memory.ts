/**
 * Memory to share with another process, in one object: made here, handed over as a descriptor,
 * opened there. Where that cannot be had it is memory of this process only, and says so.
 */
import type { Region } from './arena.ts';
import { checkInteger, SharedMemoryError } from './errors.ts';
import { checkMemory, closeDescriptor, createMemory, createReadOnlyMemory, mapMemory } from './memory.ts';
import { MEMORY_BYTES_MAX } from './memory-file.ts';
import { support } from './support.ts';

export interface CreateOptions {
  /** Shows in /proc/PID/maps. */
  readonly name?: string;
  /** Others can only read: the kernel refuses any other mapping. */
  readonly readOnlyForOthers?: boolean;
}

export interface OpenOptions {
  /** Maps for reading only: **a write from JavaScript then ends the process** by SIGSEGV. */
  readonly readOnly?: boolean;
}

/**
 * A piece of memory. Its bytes are those of `buffer` from `byteOffset` on, `byteLength` of them.
 */
export class SharedMemory {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly #region: Region | undefined;
  #descriptor: number | undefined;

  private constructor(sizeBytes: number, region: Region | undefined, descriptor: number | undefined) {
    this.#region = region;
    this.#descriptor = descriptor;
    this.buffer = region?.buffer ?? new SharedArrayBuffer(sizeBytes);
    this.byteOffset = region?.byteOffset ?? 0;
    this.byteLength = sizeBytes;
  }

  /** Makes zeroed memory. If `support().shared` is false, it is memory of this process only. */
  static create(
    sizeBytes: number,
    { name = '', readOnlyForOthers = false }: CreateOptions = {},
  ): SharedMemory {
    checkInteger('sizeBytes', sizeBytes, 1, MEMORY_BYTES_MAX);
    if (!support().shared) return new SharedMemory(sizeBytes, undefined, undefined);
    const map = (fd: number): Region => mapMemory(fd, sizeBytes);
    if (readOnlyForOthers) {
      const { fd, mapped } = createReadOnlyMemory(sizeBytes, name, map);
      return new SharedMemory(sizeBytes, mapped, fd);
    }
    const fd = createMemory(sizeBytes, name);
    try {
      return new SharedMemory(sizeBytes, map(fd), fd);
    } catch (error) {
      closeDescriptor(fd);
      throw error;
    }
  }

  /**
   * Opens memory that another process made, from a descriptor that was inherited or received.
   * Checks it (see `checkMemory` for the errors), maps it, and closes the descriptor in any case.
   */
  static open(fd: number, sizeBytes: number, { readOnly = false }: OpenOptions = {}): SharedMemory {
    try {
      checkMemory(fd, sizeBytes, { writeable: !readOnly });
      return new SharedMemory(sizeBytes, mapMemory(fd, sizeBytes, { readOnly }), undefined);
    } finally {
      closeDescriptor(fd);
    }
  }

  /** Whether other processes can have it too. */
  get shared(): boolean {
    return this.#region !== undefined;
  }

  /** For spawn's `stdio` or `DescriptorSocket.send`. Its maker has it until `closeDescriptor`. */
  get descriptor(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    const found = support();
    if (found.shared) throw new SharedMemoryError('Closed', 'the descriptor of the memory is closed');
    throw new SharedMemoryError('NotSupported', `this memory cannot be shared: ${found.reason}`);
  }

  /** A view of the bytes. */
  bytes(): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.buffer, this.byteOffset, this.byteLength);
  }

  /** A view as 32-bit words, for `SharedAtomics`. */
  words(): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.buffer, this.byteOffset, Math.floor(this.byteLength / 4));
  }

  /** Closes the descriptor, once everybody has been given it; the memory stays. Idempotent. */
  closeDescriptor(): void {
    if (this.#descriptor !== undefined) closeDescriptor(this.#descriptor);
    this.#descriptor = undefined;
  }

  /**
   * Ends our part in it, in all threads of the process. Its pages go when nobody maps them any
   * more. Idempotent.
   */
  close(): void {
    this.closeDescriptor();
    this.#region?.unmap();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * The kind of content in a dirty buffer. A write-back pass writes data first, then structures, then
 * names.
 */
export type DirtyKind = 'data' | 'structure' | 'name';

/**
 * One block of the device in memory.
 *
 * The object and its memory are reused for another block once the buffer is clean and out of use,
 * so a buffer is good **only until the caller's next `await`**. Whoever needs it afterwards asks
 * the cache again.
 */
export class BlockBuffer {
  /** The place of this buffer in the cache's lists; it never changes. */
  readonly slot: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The block held; -1 while the buffer is free. */
  block = -1;
  /** The kind of content that must be written back; undefined for a clean buffer. */
  dirty: DirtyKind | undefined = undefined;
  /** Whether a copy of this buffer is on its way to the device. */
  writing = false;
  /**
   * Whether the block was given up while it was being written: then the buffer is dropped when the
   * write ends.
   */
  forgotten = false;
  /**
   * The number of callers that were promised this buffer and have not run yet. The buffer is not
   * replaced until they have.
   */
  lent = 0;
  /**
   * The kind of structure as which its owner has checked the content; 0 for none. Owners choose the
   * numbers.
   */
  verifiedAs = 0;
  /** Completes the content, for example by a checksum, before it is copied to be written. */
  seal: ((bytes: Uint8Array) => void) | undefined = undefined;

  constructor(slot: number, bytes: Uint8Array) {
    this.slot = slot;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Forgets what the owner of the former content has said of it. */
  disown(): void {
    this.verifiedAs = 0;
    this.seal = undefined;
  }
}

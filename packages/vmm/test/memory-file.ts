/** A file in memory, for states. */
import type { ReadFile, WrittenFile } from '../src/state/state-file.ts';

/** Whatever was written to it. */
export class MemoryFile implements ReadFile, WrittenFile {
  bytes: Uint8Array = new Uint8Array(0);

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.bytes = bytes;
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    const end = position + bytes.byteLength;
    if (end > this.bytes.byteLength) {
      const longer = new Uint8Array(end);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes.set(bytes, position);
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    const piece = this.bytes.subarray(position, position + into.byteLength);
    into.set(piece);
    return piece.byteLength;
  }
}

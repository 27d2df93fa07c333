/** Finds the structures of an FFS in the bytes of an image, to damage them. */
const SUPERBLOCK = 8192;

export class FfsPokes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly little: boolean;
  readonly version: 1 | 2;

  constructor(image: Uint8Array, version: 1 | 2, little: boolean) {
    this.bytes = image;
    this.view = new DataView(image.buffer, image.byteOffset);
    this.version = version;
    this.little = little;
  }

  i32(at: number): number {
    return this.view.getInt32(at, this.little);
  }

  set32(at: number, value: number): void {
    this.view.setUint32(at, value >>> 0, this.little);
  }

  set16(at: number, value: number): void {
    this.view.setUint16(at, value, this.little);
  }

  /** Adds to a number of 32 bits. */
  add32(at: number, value: number): void {
    this.set32(at, this.i32(at) + value);
  }

  /** The place of a field of the superblock. */
  superblock(at: number): number {
    return SUPERBLOCK + at;
  }

  field(at: number): number {
    return this.i32(SUPERBLOCK + at);
  }

  get fragmentBytes(): number {
    return this.field(52);
  }

  /** The place of the first group's structure. */
  get group(): number {
    return this.field(12) * this.fragmentBytes;
  }

  /** The place of the counts of the groups. */
  get summary(): number {
    return this.version === 1
      ? this.field(152) * this.fragmentBytes
      : Number(this.view.getBigInt64(SUPERBLOCK + 1096, this.little)) * this.fragmentBytes;
  }

  /** Says that the counts of the groups are at another fragment. */
  setCountsAt(fragment: number): void {
    if (this.version === 1) this.set32(this.superblock(152), fragment);
    this.view.setBigInt64(this.superblock(1096), BigInt(fragment), this.little);
  }

  inode(id: number): number {
    return this.field(16) * this.fragmentBytes + id * (this.version === 1 ? 128 : 256);
  }

  pointerAt(id: number, index: number): number {
    return this.inode(id) + (this.version === 1 ? 40 + index * 4 : 112 + index * 8);
  }

  pointer(id: number, index: number): number {
    const at = this.pointerAt(id, index);
    return this.version === 1 ? this.i32(at) : Number(this.view.getBigInt64(at, this.little));
  }

  setPointer(id: number, index: number, fragment: number): void {
    const at = this.pointerAt(id, index);
    if (this.version === 1) this.set32(at, fragment);
    else this.view.setBigInt64(at, BigInt(fragment), this.little);
  }

  setSize(id: number, size: number): void {
    this.view.setBigUint64(this.inode(id) + (this.version === 1 ? 8 : 16), BigInt(size), this.little);
  }

  addSectors(id: number, count: number): void {
    this.add32(this.inode(id) + (this.version === 1 ? 104 : this.little ? 24 : 28), count);
  }

  /** The place of the record with that name in the first piece of a directory. */
  record(directory: number, name: string): number {
    const start = this.pointer(directory, 0) * this.fragmentBytes;
    for (let at = start; at < start + 512; at += this.view.getUint16(at + 4, this.little)) {
      const length = this.view.getUint8(at + 7);
      const text = String.fromCharCode(...this.bytes.subarray(at + 8, at + 8 + length));
      if (this.i32(at) !== 0 && text === name) return at;
    }
    throw new Error(`test: no entry ${name}`);
  }
}

/** Reads and writes the numbers of a structure, in the byte order of the file system. */
export class Fields {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly littleEndian: boolean;

  constructor(bytes: Uint8Array, littleEndian: boolean) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.littleEndian = littleEndian;
  }

  u16(offset: number): number {
    return this.view.getUint16(offset, this.littleEndian);
  }

  i32(offset: number): number {
    return this.view.getInt32(offset, this.littleEndian);
  }

  u32(offset: number): number {
    return this.view.getUint32(offset, this.littleEndian);
  }

  /** A number of 64 bits. One beyond 2^53 is not exact, and is none that a check lets through. */
  i64(offset: number): number {
    return Number(this.view.getBigInt64(offset, this.littleEndian));
  }

  setU16(offset: number, value: number): void {
    this.view.setUint16(offset, value, this.littleEndian);
  }

  setU32(offset: number, value: number): void {
    this.view.setUint32(offset, value, this.littleEndian);
  }

  setI64(offset: number, value: number): void {
    this.view.setBigInt64(offset, BigInt(value), this.littleEndian);
  }
}

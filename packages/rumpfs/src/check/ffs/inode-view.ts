import type { FfsGeometry } from './geometry.ts';

/** The fields of one inode in the bytes of a table; setters change the bytes. */
export class InodeView {
  readonly #view: DataView;
  readonly #geometry: FfsGeometry;

  constructor(bytes: Uint8Array, geometry: FfsGeometry) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, geometry.inodeBytes);
    this.#geometry = geometry;
  }

  get #old(): boolean {
    return this.#geometry.version === 1;
  }

  get mode(): number {
    return this.#view.getUint16(0, this.#geometry.little);
  }

  get type(): number {
    return this.mode >>> 12;
  }

  get links(): number {
    return this.#view.getInt16(2, this.#geometry.little);
  }

  set links(count: number) {
    this.#view.setInt16(2, count, this.#geometry.little);
  }

  get size(): number {
    return Number(this.#view.getBigUint64(this.#old ? 8 : 16, this.#geometry.little));
  }

  set size(bytes: number) {
    this.#view.setBigUint64(this.#old ? 8 : 16, BigInt(bytes), this.#geometry.little);
  }

  get sectors(): number {
    const { little } = this.#geometry;
    return this.#old ? this.#view.getUint32(104, little) : Number(this.#view.getBigUint64(24, little));
  }

  set sectors(count: number) {
    const { little } = this.#geometry;
    if (this.#old) this.#view.setUint32(104, count, little);
    else this.#view.setBigUint64(24, BigInt(count), little);
  }

  pointer(index: number): number {
    const { little } = this.#geometry;
    if (this.#old) return this.#view.getUint32(40 + index * 4, little);
    return Number(this.#view.getBigInt64(112 + index * 8, little));
  }

  setPointer(index: number, fragment: number): void {
    const { little } = this.#geometry;
    if (this.#old) this.#view.setUint32(40 + index * 4, fragment, little);
    else this.#view.setBigInt64(112 + index * 8, BigInt(fragment), little);
  }

  get attributeBytes(): number {
    return this.#old ? 0 : this.#view.getInt32(92, this.#geometry.little);
  }

  attributePointer(index: number): number {
    return Number(this.#view.getBigInt64(96 + index * 8, this.#geometry.little));
  }

  dropAttributes(): void {
    const { little } = this.#geometry;
    this.#view.setInt32(92, 0, little);
    this.#view.setBigInt64(96, 0n, little);
    this.#view.setBigInt64(104, 0n, little);
  }

  /** Makes an inode the one of a directory of root, with one fragment. */
  makeDirectory(permissions: number, fragment: number, size: number, sectors: number): void {
    this.clear();
    this.#view.setUint16(0, 0x4000 | permissions, this.#geometry.little);
    this.links = 2;
    this.size = size;
    this.sectors = sectors;
    this.setPointer(0, fragment);
  }

  /** Marks the inode as free; its generation stays. */
  clear(): void {
    const at = this.#old ? 108 : 80;
    const generation = this.#view.getUint32(at, false);
    new Uint8Array(this.#view.buffer, this.#view.byteOffset, this.#geometry.inodeBytes).fill(0);
    this.#view.setUint32(at, generation, false);
  }

  /** Whether anything is left of a former owner that a free inode should not have. */
  get hasRest(): boolean {
    if (this.size !== 0 || this.links !== 0 || this.sectors !== 0) return true;
    for (let index = 0; index < 15; index += 1) if (this.pointer(index) !== 0) return true;
    return false;
  }
}

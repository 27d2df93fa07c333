/** Finds the structures of an exFAT in the bytes of an image, to damage them. */
const ENTRY = 32;

export class ExfatPokes {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(image: Uint8Array) {
    this.bytes = image;
    this.view = new DataView(image.buffer, image.byteOffset);
  }

  get sectorBytes(): number {
    return 1 << this.view.getUint8(108);
  }

  get clusterBytes(): number {
    return this.sectorBytes << this.view.getUint8(109);
  }

  get clusters(): number {
    return this.view.getUint32(92, true);
  }

  /** The place of a cluster. */
  cluster(number: number): number {
    return this.view.getUint32(88, true) * this.sectorBytes + (number - 2) * this.clusterBytes;
  }

  /** The place of a cluster's entry in the FAT. */
  fat(number: number): number {
    return this.view.getUint32(80, true) * this.sectorBytes + number * 4;
  }

  get root(): number {
    return this.cluster(this.view.getUint32(96, true));
  }

  /** The place of the first entry of a type in the root directory. */
  volumeEntry(type: number): number {
    for (let at = this.root; ; at += ENTRY) if (this.bytes[at] === type) return at;
  }

  /** The place of the first entry behind all of the root directory's. */
  get rootEnd(): number {
    for (let at = this.root; ; at += ENTRY) if (this.bytes[at] === 0) return at;
  }

  /** The place of the entries of a file with a short name. */
  set(name: string): number {
    const at = Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    return at.indexOf(Buffer.concat([Buffer.from([0xc1, 0]), Buffer.from(name, 'utf16le')])) - 2 * ENTRY;
  }

  /** The place of a field of the entry of the contents. */
  stream(name: string, field: number): number {
    return this.set(name) + ENTRY + field;
  }

  first(name: string): number {
    return this.view.getUint32(this.stream(name, 20), true);
  }

  set64(at: number, value: number): void {
    this.view.setBigUint64(at, BigInt(value), true);
  }

  /** Makes the checksum of the entries at a place right. */
  seal(at: number): void {
    const length = ((this.bytes[at + 1] ?? 0) + 1) * ENTRY;
    let sum = 0;
    for (let index = 0; index < length; index += 1) {
      if (index === 2 || index === 3) continue;
      sum = (((sum & 1) << 15) + (sum >>> 1) + (this.bytes[at + index] ?? 0)) & 0xffff;
    }
    this.view.setUint16(at + 2, sum, true);
  }

  /** Makes the checksum of a boot region right. */
  sealBoot(at = 0): void {
    let sum = 0;
    for (let index = 0; index < 11 * this.sectorBytes; index += 1) {
      if (index === 106 || index === 107 || index === 112) continue;
      sum = (((sum & 1) << 31) + (sum >>> 1) + (this.bytes[at + index] ?? 0)) >>> 0;
    }
    for (let index = 0; index < this.sectorBytes; index += 4)
      this.view.setUint32(at + 11 * this.sectorBytes + index, sum, true);
  }

  /** Puts a file's clusters into the FAT, as those of one that is in pieces. */
  chain(name: string): number {
    const first = this.first(name);
    const size = Number(this.view.getBigUint64(this.stream(name, 24), true));
    const count = Math.ceil(size / this.clusterBytes);
    for (let index = 0; index < count - 1; index += 1)
      this.view.setUint32(this.fat(first + index), first + index + 1, true);
    this.view.setUint32(this.fat(first + count - 1), 0xffff_ffff, true);
    this.bytes[this.stream(name, 1)] = 1;
    this.seal(this.set(name));
    return count;
  }

  /** Changes the bit of a cluster in the bitmap. */
  flip(cluster: number): void {
    const bitmap = this.cluster(this.view.getUint32(this.volumeEntry(0x81) + 20, true));
    const at = bitmap + ((cluster - 2) >>> 3);
    this.bytes[at] = (this.bytes[at] ?? 0) ^ (1 << ((cluster - 2) & 7));
  }
}

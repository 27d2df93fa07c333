/** An inode: 128 bytes or more in the table of its group. */
import { castagnoli } from '../crc.ts';
import type { Geometry } from './geometry.ts';

export const FLAG = {
  immutable: 0x10,
  encrypted: 0x800,
  index: 0x1000,
  huge: 0x4_0000,
  extents: 0x8_0000,
  verity: 0x10_0000,
  attributeValue: 0x20_0000,
  inline: 0x1000_0000,
  casefold: 0x4000_0000,
};

export type Kind = 'free' | 'file' | 'directory' | 'symlink' | 'device' | 'other' | 'wrong';

/** The fields of an inode that a checker looks at. */
export class Inode {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly geometry: Geometry;

  /** @param bytes a copy of its place in the table */
  constructor(geometry: Geometry, id: number, bytes: Uint8Array) {
    this.id = id;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.geometry = geometry;
  }

  get name(): string {
    return `inode ${this.id}`;
  }

  get mode(): number {
    return this.view.getUint16(0, true);
  }

  get kind(): Kind {
    switch (this.mode >> 12) {
      case 0:
        return 'free';
      case 1:
      case 12:
        return 'other';
      case 2:
      case 6:
        return 'device';
      case 4:
        return 'directory';
      case 8:
        return 'file';
      case 10:
        return 'symlink';
      default:
        return 'wrong';
    }
  }

  /** The number by which an entry of a directory names the type; 0 if it cannot. */
  get entryType(): number {
    return [0, 5, 3, 0, 2, 0, 4, 0, 1, 0, 7, 0, 6][this.mode >> 12] ?? 0;
  }

  get size(): number {
    return this.view.getUint32(4, true) + this.view.getUint32(108, true) * 2 ** 32;
  }

  get deleted(): number {
    return this.view.getUint32(20, true);
  }

  get links(): number {
    return this.view.getUint16(26, true);
  }

  get flags(): number {
    return this.view.getUint32(32, true);
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** What it says of its blocks, in sectors of 512 bytes. */
  get sectors(): number {
    const low = this.view.getUint32(28, true);
    if (!this.geometry.has('hugeFile')) return low;
    const all = low + this.view.getUint16(116, true) * 2 ** 32;
    return this.has(FLAG.huge) ? (all * this.geometry.blockBytes) / 512 : all;
  }

  /** The block with its attributes; 0 for none. */
  get attributeBlock(): number {
    const high = this.geometry.needs('wide') ? this.view.getUint16(118, true) : 0;
    return this.view.getUint32(104, true) + high * 2 ** 32;
  }

  /** The map of blocks, or the root of the extents, or what is stored inline: 60 bytes. */
  get map(): Uint8Array {
    return this.bytes.subarray(40, 100);
  }

  get seed(): number {
    return this.geometry.inodeSeed(this.id, this.view.getUint32(100, true));
  }

  get extraBytes(): number {
    return this.bytes.length > 128 ? this.view.getUint16(128, true) : 0;
  }

  /** Whether its checksum is right; one with nothing but zeros needs none. */
  get intact(): boolean {
    if (!this.geometry.checksums || this.bytes.every((byte) => byte === 0)) return true;
    const wide = this.bytes.length > 128 && this.extraBytes >= 4;
    const copy = this.bytes.slice();
    copy.fill(0, 124, 126);
    if (wide) copy.fill(0, 130, 132);
    const crc = castagnoli(this.seed, copy);
    const said = this.view.getUint16(124, true) + (wide ? this.view.getUint16(130, true) * 2 ** 16 : 0);
    return said === (wide ? crc : crc & 0xffff);
  }

  /** A symbolic link whose target stands where the map would be. */
  get isShortLink(): boolean {
    if (this.kind !== 'symlink' || this.has(FLAG.inline)) return false;
    return this.size < 60 && !this.has(FLAG.extents);
  }
}

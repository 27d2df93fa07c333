import { FsError } from '../../errors.ts';
import type { BlockIo } from '../../hypercall/hypercalls.ts';
import { bytesAt } from '../device.ts';

const PLACES = [65_536, 8192, 0, 262_144] as const;
const SUPERBLOCK_BYTES = 1376;
const MAGICS: ReadonlyMap<number, 1 | 2> = new Map([
  [0x0001_1954, 1],
  [0x1954_0119, 2],
  [0x1901_2038, 2],
]);
/** The bitmap of claimed fragments of a larger file system would take more than 128 MiB. */
const FRAGMENTS_MAX = 2 ** 30;

/** The superblock as the checker reads it, with nothing of the driver. */
export class FfsGeometry {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly little: boolean;
  readonly version: 1 | 2;
  /** The byte at which the superblock is. */
  readonly at: number;

  constructor(bytes: Uint8Array, little: boolean, version: 1 | 2, at: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.little = little;
    this.version = version;
    this.at = at;
  }

  i32(at: number): number {
    return this.view.getInt32(at, this.little);
  }

  i64(at: number): number {
    return Number(this.view.getBigInt64(at, this.little));
  }

  get bsize(): number {
    return this.i32(48);
  }

  get fsize(): number {
    return this.i32(52);
  }

  get frag(): number {
    return this.bsize / this.fsize;
  }

  get groups(): number {
    return this.i32(44);
  }

  get fpg(): number {
    return this.i32(188);
  }

  get ipg(): number {
    return this.i32(184);
  }

  /** Whether the wide fields count in UFS1, too. */
  get wide(): boolean {
    return this.version === 2 || ((this.bytes[211] ?? 0) & 0x80) !== 0;
  }

  get size(): number {
    return this.wide ? this.i64(1080) : this.i32(36);
  }

  get csaddr(): number {
    return this.wide ? this.i64(1096) : this.i32(152);
  }

  get cssize(): number {
    return this.i32(156);
  }

  get cgsize(): number {
    return this.i32(160);
  }

  get contigsum(): number {
    return Math.max(0, this.i32(1316));
  }

  get shortLink(): number {
    return this.i32(1320);
  }

  get oldDirectories(): boolean {
    return this.version === 1 && (this.i32(1324) < 2 || this.shortLink <= 0);
  }

  get clean(): boolean {
    return (this.bytes[209] ?? 0) !== 0 && (this.flags & 5) === 0;
  }

  get flags(): number {
    return this.wide ? this.i32(1312) : (this.bytes[211] ?? 0);
  }

  /** The inode of a log of WAPBL that is a file without a name; 0 where there is none. */
  get logInode(): number {
    return this.bytes[864] === 1 && this.bytes[865] === 2 ? this.i64(896) : 0;
  }

  /** Where the log is, whether it is in use or not. */
  get logPlace(): { readonly at: number; readonly bytes: number } {
    const blockBytes = this.i64(888);
    return { at: this.i64(872) * blockBytes, bytes: this.i64(880) * blockBytes };
  }

  /** Where a log of WAPBL in use is, its length, and that of its blocks. */
  get log(): { readonly at: number; readonly bytes: number; readonly blockBytes: number } | undefined {
    const [location, blockBytes] = [this.bytes[865] ?? 0, this.i64(888)];
    const used = (this.flags & 0x100) !== 0 && this.bytes[864] === 1 && (location === 1 || location === 2);
    const sane = blockBytes >= 512 && blockBytes <= 65_536 && blockBytes % 512 === 0;
    return used && sane
      ? { at: this.i64(872) * blockBytes, bytes: this.i64(880) * blockBytes, blockBytes }
      : undefined;
  }

  get inodeBytes(): number {
    return this.version === 1 ? 128 : 256;
  }

  get pointerBytes(): number {
    return this.version === 1 ? 4 : 8;
  }

  get nindir(): number {
    return this.bsize / this.pointerBytes;
  }

  get inodes(): number {
    return this.groups * this.ipg;
  }

  base(group: number): number {
    return group * this.fpg;
  }

  fragsIn(group: number): number {
    return Math.min(this.fpg, this.size - this.base(group));
  }

  /** Where a group's structures begin. */
  start(group: number): number {
    if (this.version === 2) return this.base(group);
    return this.base(group) + this.i32(24) * (group & ~this.i32(28));
  }

  cgAt(group: number): number {
    return this.start(group) + this.i32(12);
  }

  inodesAt(group: number): number {
    return this.start(group) + this.i32(16);
  }

  dataAt(group: number): number {
    return this.start(group) + this.i32(20);
  }
}

/**
 * Finds the superblock. Rejects with `NoFileSystem`, `Corrupt` for sizes that make no sense, or
 * `NotSupported` for one that is too large to be checked.
 */
export async function readGeometry(bio: BlockIo): Promise<FfsGeometry> {
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  for (const at of PLACES) {
    if (at + SUPERBLOCK_BYTES > deviceBytes) continue;
    const bytes = (await bytesAt(bio, at, SUPERBLOCK_BYTES)).slice();
    const view = new DataView(bytes.buffer);
    for (const little of [true, false]) {
      const version = MAGICS.get(view.getUint32(1372, little));
      if (version === undefined || (version === 1 && at === 65_536)) continue;
      const geometry = new FfsGeometry(bytes, little, version, at);
      if (version === 2 && geometry.i64(1000) !== at) continue;
      requireSane(geometry, deviceBytes);
      return geometry;
    }
  }
  throw new FsError('NoFileSystem', 'check: no superblock of an FFS');
}

function requireSane(geometry: FfsGeometry, deviceBytes: number): void {
  const { bsize, fsize, frag, groups, fpg, ipg, size, cgsize } = geometry;
  const [cblkno, iblkno, dblkno] = [geometry.i32(12), geometry.i32(16), geometry.i32(20)];
  const wrong = (what: string): FsError => new FsError('Corrupt', `check: superblock: ${what}`);
  const power = (value: number): boolean => value > 0 && Math.log2(value) % 1 === 0;
  if (!power(bsize) || !power(fsize) || bsize < 4096 || bsize > 65_536 || ![1, 2, 4, 8].includes(frag))
    throw wrong(`blocks of ${bsize} and fragments of ${fsize} bytes`);
  if (!(groups > 0 && fpg > 0 && fpg % frag === 0 && size > (groups - 1) * fpg && size <= groups * fpg))
    throw wrong(`${size} fragments in ${groups} groups of ${fpg}`);
  if (size * fsize > deviceBytes)
    throw wrong(`${size * fsize} bytes, but the device ends after ${deviceBytes}`);
  if (!(ipg > 0 && (ipg * geometry.inodeBytes) % bsize === 0)) throw wrong(`${ipg} inodes a group`);
  const table = (ipg * geometry.inodeBytes) / fsize;
  const places = geometry.i32(8) >= 0 && cblkno > geometry.i32(8) && iblkno > cblkno;
  if (!places || iblkno + table > dblkno || geometry.dataAt(groups - 1) > size || dblkno > fpg)
    throw wrong(`structures at ${geometry.i32(8)}, ${cblkno}, ${iblkno}, ${dblkno} of a group`);
  if (cgsize < 168 || cgsize > bsize) throw wrong(`groups of ${cgsize} bytes`);
  const { csaddr, cssize } = geometry;
  if (cssize < groups * 16 || csaddr <= 0 || csaddr + Math.ceil(cssize / fsize) > size)
    throw wrong(`${cssize} bytes of counts at fragment ${csaddr}`);
  if (size > FRAGMENTS_MAX) throw new FsError('NotSupported', `check: ${size} fragments are too many`);
}

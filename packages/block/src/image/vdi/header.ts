/**
 * VDI: VirtualBox's image format. A header of one sector, a map with the place of each block of the
 * disk, and the blocks. All numbers are little-endian. The map may lie anywhere; here it has two
 * places before the blocks, so that a changed map can be written beside the one in use. (Source:
 * the structures of VirtualBox's `VDICore.h`, version 1.1, as QEMU describes them in
 * `block/vdi.c`.)
 */
import { viewOf } from '../../lib/byte-reader.ts';
import { ImageError, malformed, unsupported } from '../image-error.ts';

/** The header, and the unit of the places in the file. */
export const VDI_SECTOR_BYTES = 512;
export const VDI_SIGNATURE = 0xbeda107f;
const VERSION = 0x0001_0001;
const HEADER_BYTES = 400;
const TYPE = { dynamic: 1, fixed: 2 } as const;
const BLOCK_BYTES_MIN = 4096;
const BLOCK_BYTES_MAX = 64 * 1024 * 1024;
/** The size of blocks of new images, and the only one that QEMU reads. */
export const VDI_BLOCK_BYTES = 1024 * 1024;
/** The largest map; it is kept in memory. */
const BLOCKS_MAX = 16 * 1024 * 1024;
const TEXT = '<<< Oracle VM VirtualBox Disk Image >>>\n';

/** Entries of the map that lead to no block: never written, and discarded. */
export const VDI_NO_BLOCK = 0xffff_ffff;
export const VDI_DISCARDED = 0xffff_fffe;

/** Where the signature is, the first field that is no text. */
export const VDI_SIGNATURE_AT = 64;
const AT = {
  signature: VDI_SIGNATURE_AT,
  version: 68,
  headerBytes: 72,
  type: 76,
  mapOffset: 340,
  dataOffset: 344,
  sectorBytes: 360,
  sizeBytes: 368,
  blockBytes: 376,
  blockExtra: 380,
  blocks: 384,
  allocated: 388,
  uuid: 392,
  parentUuid: 440,
  linkUuid: 424,
} as const;
const UUID_BYTES = 16;

/** A header that has been checked. */
export interface VdiHeader {
  readonly isFixed: boolean;
  readonly mapOffset: number;
  readonly dataOffset: number;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly blocks: number;
  readonly allocated: number;
}

/** The bytes of a map of so many blocks, as whole sectors. */
export function vdiMapBytes(blocks: number): number {
  return Math.ceil((blocks * 4) / VDI_SECTOR_BYTES) * VDI_SECTOR_BYTES;
}

/** The number of blocks of a disk. Throws if the format has no such disks. */
export function vdiBlocks(sizeBytes: number, blockBytes: number): number {
  if (
    !Number.isSafeInteger(sizeBytes) ||
    sizeBytes < VDI_SECTOR_BYTES ||
    sizeBytes % VDI_SECTOR_BYTES !== 0
  ) {
    throw new ImageError(
      'Invalid',
      `a disk of ${sizeBytes} bytes: the size is no multiple of ${VDI_SECTOR_BYTES}`,
    );
  }
  const blocks = Math.ceil(sizeBytes / blockBytes);
  if (blocks > BLOCKS_MAX) throw new ImageError('Invalid', `a VDI image cannot have ${sizeBytes} bytes`);
  return blocks;
}

/** Checks the first sector of an image. Throws `ImageError`. */
export function parseVdiHeader(sector: Uint8Array): VdiHeader {
  const view = viewOf(sector);
  const u32 = (at: number): number => view.getUint32(at, true);
  if (u32(AT.signature) !== VDI_SIGNATURE) throw malformed('this is no VDI image', AT.signature);
  const version = u32(AT.version);
  if (version !== VERSION)
    throw unsupported(`VDI version ${version >>> 16}.${version & 0xffff}, not 1.1`, AT.version);
  const type = u32(AT.type);
  if (type !== TYPE.dynamic && type !== TYPE.fixed) {
    throw unsupported(`VDI type ${type}: only dynamic (1) and fixed (2) images are read`, AT.type);
  }
  for (const at of [AT.linkUuid, AT.parentUuid]) {
    if (sector.subarray(at, at + UUID_BYTES).some((byte) => byte !== 0)) {
      throw unsupported('the image is a difference to another one', at);
    }
  }
  if (u32(AT.sectorBytes) !== VDI_SECTOR_BYTES) throw malformed('sectors are not 512 bytes', AT.sectorBytes);
  const blockBytes = u32(AT.blockBytes);
  if (
    !Number.isInteger(Math.log2(blockBytes)) ||
    blockBytes < BLOCK_BYTES_MIN ||
    blockBytes > BLOCK_BYTES_MAX
  ) {
    throw malformed(`blocks of ${blockBytes} bytes`, AT.blockBytes);
  }
  if (u32(AT.blockExtra) !== 0) throw unsupported('blocks have extra bytes', AT.blockExtra);
  const size = view.getBigUint64(AT.sizeBytes, true);
  const blocks = u32(AT.blocks);
  if (blocks > BLOCKS_MAX || size === 0n || size > BigInt(blocks) * BigInt(blockBytes)) {
    throw malformed(`a disk of ${size} bytes in ${blocks} blocks of ${blockBytes}`, AT.sizeBytes);
  }
  const [mapOffset, dataOffset] = [u32(AT.mapOffset), u32(AT.dataOffset)];
  for (const [offset, at] of [[mapOffset, AT.mapOffset] as const, [dataOffset, AT.dataOffset] as const]) {
    if (offset < VDI_SECTOR_BYTES || offset % VDI_SECTOR_BYTES !== 0)
      throw malformed(`an offset of ${offset}`, at);
  }
  return {
    isFixed: type === TYPE.fixed,
    mapOffset,
    dataOffset,
    sizeBytes: Number(size),
    blockBytes,
    blocks,
    allocated: u32(AT.allocated),
  };
}

/** Puts what may change into the first sector. */
export function updateVdiSector(sector: Uint8Array, header: VdiHeader): Uint8Array {
  const changed = sector.slice();
  const view = new DataView(changed.buffer);
  view.setUint32(AT.mapOffset, header.mapOffset, true);
  view.setUint32(AT.dataOffset, header.dataOffset, true);
  view.setBigUint64(AT.sizeBytes, BigInt(header.sizeBytes), true);
  view.setUint32(AT.blocks, header.blocks, true);
  view.setUint32(AT.allocated, header.allocated, true);
  return changed;
}

/** The first sector of a new image. `uuid` tells it from all others. */
export function newVdiSector(header: VdiHeader, uuid: Uint8Array): Uint8Array {
  const sector = new Uint8Array(VDI_SECTOR_BYTES);
  const view = new DataView(sector.buffer);
  sector.set(new TextEncoder().encode(TEXT));
  view.setUint32(AT.signature, VDI_SIGNATURE, true);
  view.setUint32(AT.version, VERSION, true);
  view.setUint32(AT.headerBytes, HEADER_BYTES, true);
  view.setUint32(AT.type, header.isFixed ? TYPE.fixed : TYPE.dynamic, true);
  view.setUint32(AT.sectorBytes, VDI_SECTOR_BYTES, true);
  view.setUint32(AT.blockBytes, header.blockBytes, true);
  sector.set(uuid.subarray(0, UUID_BYTES), AT.uuid);
  // The identity of the content; VirtualBox changes it with each snapshot.
  sector.set(uuid.subarray(0, UUID_BYTES), AT.uuid + UUID_BYTES);
  return updateVdiSector(sector, header);
}

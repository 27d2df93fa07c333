/** New VDI images. */
import type { ByteDevice } from '../byte-device.ts';
import {
  newVdiSector,
  VDI_BLOCK_BYTES,
  VDI_NO_BLOCK,
  VDI_SECTOR_BYTES,
  vdiBlocks,
  vdiMapBytes,
} from './header.ts';

/** What a new image is to be. */
export interface CreateVdiOptions {
  readonly sizeBytes: number;
  /** Whether all blocks have their place from the beginning. */
  readonly isFixed?: boolean;
  /** 16 bytes that no other image has. */
  readonly uuid: Uint8Array;
}

/** Writes a new image on a device that is empty. Rejects with `ImageError`. */
export async function createVdi(device: ByteDevice, options: CreateVdiOptions): Promise<void> {
  const { sizeBytes, isFixed = false, uuid } = options;
  const blocks = vdiBlocks(sizeBytes, VDI_BLOCK_BYTES);
  const mapBytes = vdiMapBytes(blocks);
  const mapOffset = VDI_SECTOR_BYTES;
  const dataOffset = Math.ceil((mapOffset + 2 * mapBytes) / VDI_BLOCK_BYTES) * VDI_BLOCK_BYTES;
  const map = new Uint8Array(mapBytes);
  const view = new DataView(map.buffer);
  for (let block = 0; block < blocks; block++)
    view.setUint32(block * 4, isFixed ? block : VDI_NO_BLOCK, true);
  await device.write(map, mapOffset);
  await device.setSize(dataOffset + (isFixed ? blocks * VDI_BLOCK_BYTES : 0));
  await device.sync();
  const header = {
    isFixed,
    mapOffset,
    dataOffset,
    sizeBytes,
    blockBytes: VDI_BLOCK_BYTES,
    blocks,
    allocated: isFixed ? blocks : 0,
  };
  await device.write(newVdiSector(header, uuid), 0);
  await device.sync();
}

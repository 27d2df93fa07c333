/**
 * Room for two maps before the blocks of an image that has not enough: the first blocks go to the
 * end of the file, and all blocks get other indexes. At each step the header names a whole image.
 */
import { ImageError } from '../image-error.ts';
import { type ByteDevice, readPadded } from '../byte-device.ts';
import type { BlockMap } from './block-map.ts';
import { VDI_DISCARDED, VDI_SECTOR_BYTES, vdiMapBytes } from './header.ts';

const OFFSET_MAX = 0xffff_0000;

/**
 * Makes room for two maps of so many blocks. Nothing else may be under way. If that fails, the map
 * is as before, or lies behind the blocks, and then nothing may be written until it is elsewhere.
 */
export async function makeRoomForMaps(device: ByteDevice, map: BlockMap, blocks: number): Promise<void> {
  const { header } = map;
  const { blockBytes, dataOffset } = header;
  const wantedOffset = VDI_SECTOR_BYTES + 2 * vdiMapBytes(blocks);
  const count = Math.ceil(Math.max(0, wantedOffset - dataOffset) / blockBytes);
  if (dataOffset + count * blockBytes > OFFSET_MAX)
    throw new ImageError('Invalid', 'the map would become too large');
  let next = Math.max(map.end, count);
  const entries = map.entries.slice();
  const block = new Uint8Array(blockBytes);
  for (const [number, index] of entries.entries()) {
    if (index >= VDI_DISCARDED) continue;
    if (index < count) {
      await readPadded(device, block, map.position(index));
      await device.write(block, map.position(next));
      entries[number] = next - count;
      next++;
    } else entries[number] = index - count;
  }
  // The place before the blocks is still in use; a map behind them is only for this moment.
  const temporary = Math.ceil(map.position(next) / VDI_SECTOR_BYTES) * VDI_SECTOR_BYTES;
  if (temporary > OFFSET_MAX) throw new ImageError('Unsupported', 'the image has no room for a second map');
  const { entries: oldEntries } = map;
  map.replace(entries, { ...header, dataOffset: dataOffset + count * blockBytes });
  try {
    await map.commit(temporary);
  } catch (error) {
    map.replace(oldEntries, header);
    throw error;
  }
  await map.commit();
  await device.setSize(temporary);
}

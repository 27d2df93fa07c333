/**
 * Closes the gaps between the blocks of a VDI file: the last blocks move to places that none has.
 * Programs that write to a file take the number of its blocks for the next free place, so one with
 * gaps must not be left to them.
 */
import { type ByteDevice, readPadded } from '../byte-device.ts';
import type { BlockMap } from './block-map.ts';

/**
 * Closes them, with one commit if there are any. Nothing else may be under way. The result is how
 * many blocks have moved.
 */
export async function closeGaps(
  device: ByteDevice,
  map: BlockMap,
  progress: (share: number) => void = () => {},
): Promise<number> {
  const gaps = map.gaps();
  if (gaps.length === 0) return 0;
  const end = map.end - gaps.length;
  const free = gaps.filter((index) => index < end);
  const total = free.length;
  const entries = map.entries.slice();
  const bytes = new Uint8Array(map.header.blockBytes);
  for (let block = 0; block < entries.length; block++) {
    const index = map.index(block);
    if (index === undefined || index < end) continue;
    const place = free.pop();
    if (place === undefined) break;
    await readPadded(device, bytes, map.position(index));
    await device.write(bytes, map.position(place));
    entries[block] = place;
    progress((total - free.length) / total);
  }
  const { entries: oldEntries, header } = map;
  map.replace(entries, header);
  try {
    await map.commit();
  } catch (error) {
    map.replace(oldEntries, header);
    throw error;
  }
  return total;
}

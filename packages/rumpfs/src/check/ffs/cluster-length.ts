/** How long the runs of free blocks are that groups count, which the superblock says. */
import type { Context } from './context.ts';
import { mapsFit, mapsOf, usualMaps } from './group-maps.ts';

const LENGTH_AT = 1316;
/** As long as whoever makes file systems has them counted. */
const USUAL_MAX = 16;

/** Whether a group has room for as many counts; else as many as it has room for are taken. */
export async function checkClusterLength({ geometry, image, found, mends }: Context): Promise<void> {
  const said = geometry.contigsum;
  const bytes = await image.read(geometry.cgAt(0), geometry.frag);
  const own = mapsOf(geometry, new DataView(bytes.buffer, bytes.byteOffset));
  const fits = (): boolean => mapsFit(geometry, 0, own) || mapsFit(geometry, 0, usualMaps(geometry, 0));
  if (said === 0 || fits()) return;
  found.damage(`superblock: runs of up to ${said} free blocks are counted, more than groups have room for`);
  const set = (length: number): void => geometry.view.setInt32(LENGTH_AT, length, geometry.little);
  // Where the maps of the group are whole, they say it.
  set((own.clusters - own.sums) / 4 - 1);
  if (geometry.contigsum > USUAL_MAX || !mapsFit(geometry, 0, own)) {
    set(USUAL_MAX);
    while (geometry.contigsum > 0 && !fits()) set(geometry.contigsum - 1);
  }
  if (mends) await image.changeAt(geometry.at, geometry.bytes);
}

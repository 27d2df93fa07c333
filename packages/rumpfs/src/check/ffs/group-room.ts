/** Whether the structure of a group has room for what the superblock says that it holds. */
import type { Context } from './context.ts';
import type { FfsGeometry } from './geometry.ts';
import { type Maps, mapsFit, mapsOf, usualMaps } from './group-maps.ts';

const SIZE_AT = 160;
const LENGTH_AT = 1316;
/** As long as whoever makes file systems has runs of free blocks counted. */
const USUAL_LENGTH_MAX = 16;

/** Takes a size that holds the maps, or as many counts of runs as there is room for. */
export async function checkGroupRoom({ geometry, image, found, mends }: Context): Promise<void> {
  const bytes = await image.read(geometry.cgAt(0), geometry.frag);
  const own = mapsOf(geometry, new DataView(bytes.buffer, bytes.byteOffset));
  const fits = (): boolean => mapsFit(geometry, 0, own) || mapsFit(geometry, 0, usualMaps(geometry, 0));
  if (fits()) return;
  const { contigsum, cgsize } = geometry;
  if (contigsum <= USUAL_LENGTH_MAX && enlarge(geometry) && fits()) {
    found.damage(`superblock: groups have structures of ${cgsize} bytes, which their maps do not fit into`);
  } else {
    geometry.view.setInt32(SIZE_AT, cgsize, geometry.little);
    found.damage(
      `superblock: runs of up to ${contigsum} free blocks are counted, more than groups have room for`,
    );
    shorten(geometry, own, fits);
  }
  if (mends) await image.changeAt(geometry.at, geometry.bytes);
}

/** Makes the structures as large as their maps need. False where no block is as large. */
function enlarge(geometry: FfsGeometry): boolean {
  const { fsize, bsize, fpg, frag, contigsum, view, little } = geometry;
  const { free, clusters } = usualMaps(geometry, 0);
  const end = contigsum > 0 ? clusters + Math.ceil(fpg / frag / 8) : free + Math.ceil(fpg / 8);
  const bytes = Math.ceil(end / fsize) * fsize;
  view.setInt32(SIZE_AT, bytes, little);
  return bytes <= bsize;
}

/** Has runs counted that are as long as the group says, or as there is room for. */
function shorten(geometry: FfsGeometry, own: Maps, fits: () => boolean): void {
  const set = (length: number): void => geometry.view.setInt32(LENGTH_AT, length, geometry.little);
  set((own.clusters - own.sums) / 4 - 1);
  if (geometry.contigsum <= USUAL_LENGTH_MAX && mapsFit(geometry, 0, own)) return;
  set(USUAL_LENGTH_MAX);
  while (geometry.contigsum > 0 && !fits()) set(geometry.contigsum - 1);
}

import { type Context, fatEntry, placeOf } from './context.ts';
import type { BitmapPlace } from './volume-pass.ts';

const BAD = 0xffff_fff7;

/** Compares the bitmap with what has an owner. */
export async function checkBitmap(context: Context, place: BitmapPlace): Promise<void> {
  const { geometry, image, found, claims, mends } = context;
  let [lost, firstLost, stolen, firstStolen] = [0, 0, 0, 0];
  for (const [index, cluster] of place.clusters.entries()) {
    const start = index * geometry.clusterBytes;
    const at = placeOf(geometry, cluster);
    const bytes = await image.read(at, Math.min(geometry.clusterBytes, place.bytes - start));
    const before = bytes.slice();
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const number = start * 8 + bit + 2;
      if (number >= geometry.clusters + 2) break;
      const used = (((bytes[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;
      const owned = claims.has(number);
      if (used === owned || (used && (await fatEntry(context, number)) === BAD)) continue;
      if (used) {
        lost += 1;
        firstLost ||= number;
        if (context.unknownClusters) continue;
      } else {
        stolen += 1;
        firstStolen ||= number;
      }
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    }
    if (mends && bytes.some((byte, index_) => byte !== before[index_])) await image.change(at, bytes);
  }
  if (stolen > 0)
    found.damage(`bitmap: ${stolen} clusters from ${firstStolen} on have owners, but are marked as free`);
  if (lost > 0)
    found.harmless(`bitmap: ${lost} clusters from ${firstLost} on are in use, but belong to nothing`);
}

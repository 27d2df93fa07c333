/** Where the counts of the groups are, which the superblock says. */
import type { Context } from './context.ts';

const WIDE_AT = 1096;
const NARROW_AT = 152;

/** Claims the fragments of the counts, which are those of no other structure. */
export async function claimCounts({ geometry, claims, image, found, mends }: Context): Promise<void> {
  const fragments = Math.ceil(geometry.cssize / geometry.fsize);
  const taken = claims.claim(geometry.csaddr, fragments);
  if (taken < 0) return;
  found.damage(`superblock: the counts of the groups at fragment ${taken}, which has another structure`);
  // Whoever makes a file system puts them there.
  const usual = geometry.dataAt(0);
  const { view, little, wide, version } = geometry;
  if (wide) view.setBigInt64(WIDE_AT, BigInt(usual), little);
  if (version === 1) view.setInt32(NARROW_AT, usual, little);
  claims.claim(usual, fragments);
  if (mends) await image.changeAt(geometry.at, geometry.bytes);
}

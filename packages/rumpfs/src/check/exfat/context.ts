import type { Findings } from '../report.ts';
import type { ExfatGeometry } from './boot-regions.ts';
import type { ExfatImage } from './image.ts';

const END = 0xffff_ffff;
/** As many clusters as the longest directory has. */
const LISTED_MAX = 2 ** 19;

/** What the passes of one check work with. */
export interface Context {
  readonly geometry: ExfatGeometry;
  readonly image: ExfatImage;
  readonly found: Findings;
  /** Whether what is found is mended in the image. */
  readonly mends: boolean;
  readonly claims: Claims;
  /** The capital of each unit of UTF-16. */
  capitals: Uint16Array;
  /** Whether something has clusters of which nobody here knows. */
  unknownClusters: boolean;
}

/** Which clusters have an owner. */
export class Claims {
  readonly #map: Uint8Array;

  constructor(clusters: number) {
    this.#map = new Uint8Array(Math.ceil((clusters + 2) / 8));
  }

  has(cluster: number): boolean {
    return (((this.#map[Math.floor(cluster / 8)] ?? 0) >>> (cluster % 8)) & 1) === 1;
  }

  add(cluster: number): void {
    const byte = Math.floor(cluster / 8);
    this.#map[byte] = (this.#map[byte] ?? 0) | (1 << (cluster % 8));
  }
}

/** The clusters that something has, as far as they are its own. */
export interface Claimed {
  readonly count: number;
  /** The last one; 0 for none. */
  readonly last: number;
  /** The first ones, as many as a directory may have. */
  readonly clusters: readonly number[];
  /** Why there are not as many as there should be. */
  readonly mistake: string | undefined;
  /** Whether the FAT leads on behind as many as there should be. */
  readonly longer: boolean;
}

/** The place of a cluster. */
export function placeOf({ dataAt, clusterBytes }: ExfatGeometry, cluster: number): number {
  return dataAt + (cluster - 2) * clusterBytes;
}

/** The number of clusters for so many bytes. */
export function clustersFor({ clusterBytes }: ExfatGeometry, bytes: number): number {
  return Math.ceil(bytes / clusterBytes);
}

/**
 * Claims the clusters of something.
 *
 * @param wanted how many there should be; undefined for as many as the FAT leads to
 */
export async function claim(
  context: Context,
  first: number,
  wanted: number | undefined,
  contiguous: boolean,
): Promise<Claimed> {
  const { geometry, claims } = context;
  const clusters: number[] = [];
  let [count, last] = [0, 0];
  const result = (mistake?: string, longer = false): Claimed => ({ count, last, clusters, mistake, longer });
  const most = wanted ?? geometry.clusters;
  for (let cluster = first; count < most; ) {
    if (cluster < 2 || cluster >= geometry.clusters + 2)
      return result(`leads to cluster ${cluster}, which there is not`);
    if (claims.has(cluster)) return result(`shares cluster ${cluster} with another, or with itself`);
    claims.add(cluster);
    count += 1;
    last = cluster;
    if (clusters.length < LISTED_MAX) clusters.push(cluster);
    if (contiguous) {
      cluster += 1;
      continue;
    }
    const next = await fatEntry(context, cluster);
    if (next === END) {
      const enough = wanted === undefined || count === wanted;
      return result(enough ? undefined : `has ${count} clusters, not ${wanted}`);
    }
    cluster = next;
  }
  return result(undefined, !contiguous && most > 0);
}

/** What the FAT says of a cluster. */
export async function fatEntry({ image, geometry }: Context, cluster: number): Promise<number> {
  const bytes = await image.read(geometry.fatAt + cluster * 4, 4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Lets the FAT end at a cluster. */
export async function endFatAt({ image, geometry }: Context, cluster: number): Promise<void> {
  await image.change(geometry.fatAt + cluster * 4, new Uint8Array(4).fill(0xff));
}

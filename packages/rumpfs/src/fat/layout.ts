import { FsError } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';

const BLOCK_BYTES_MAX = 4096;
/** The number of the first cluster. */
export const FIRST_CLUSTER = 2;

/** What decides how blocks lie. Places are bytes from the start of the device. */
export interface LaidOut {
  /** The format, in messages. */
  readonly type: string;
  readonly clusterBytes: number;
  readonly dataStart: number;
  readonly fatStart: number;
  /** The bytes of a root directory that stands between the FATs and the clusters. */
  readonly rootBytes: number;
}

/**
 * How blocks of the buffer cache lie on a FAT. Clusters need not begin at a multiple of their size,
 * so block 0 begins where makes clusters consist of whole blocks. No block holds two kinds of
 * structures whose writes are ordered.
 */
export interface Layout {
  readonly blockBytes: number;
  /** The byte of the device where block 0 begins. */
  readonly baseBytes: number;
  readonly blocksPerCluster: number;
  /** The block where cluster 2 begins. */
  readonly firstDataBlock: number;
}

/** Throws `NotSupported` where the device's sectors are too large for that. */
export function layOut(
  { type, clusterBytes, dataStart, rootBytes, fatStart }: LaidOut,
  bio: BlockIo,
): Layout {
  let blockBytes = Math.min(BLOCK_BYTES_MAX, clusterBytes);
  // A block that began before the FATs would reach into the reserved sectors, or before the device.
  while (blockBytes > 512 && (rootBytes % blockBytes !== 0 || dataStart % blockBytes > fatStart))
    blockBytes /= 2;
  const baseBytes = dataStart % blockBytes;
  if (blockBytes < bio.sectorSizeBytes || baseBytes % bio.sectorSizeBytes !== 0) {
    throw new FsError(
      'NotSupported',
      `${type}: clusters of ${clusterBytes} bytes from byte ${dataStart} on do not fit sectors of ${bio.sectorSizeBytes} bytes`,
    );
  }
  return {
    blockBytes,
    baseBytes,
    blocksPerCluster: clusterBytes / blockBytes,
    firstDataBlock: (dataStart - baseBytes) / blockBytes,
  };
}

/** The block where a cluster begins. */
export function blockOfCluster(layout: Layout, cluster: number): number {
  return layout.firstDataBlock + (cluster - FIRST_CLUSTER) * layout.blocksPerCluster;
}

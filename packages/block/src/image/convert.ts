/** Copies a disk from one image to another. What reads as zeros takes no space in the other one. */
import { deflateRawSync, deflateSync } from 'node:zlib';
import { inLanes } from '@ginit/core/async';
import { isZero } from '../lib/is-zero.ts';
import type { DiskImage } from './disk-image.ts';

/** The size of the pieces that are read at a time, unless clusters are larger. */
const PIECE_BYTES = 1024 * 1024;
const PIECES_UNDER_WAY = 4;
/** The window of the raw deflate that QEMU reads. */
export const RAW_WINDOW_BITS = 12;

/** How clusters are compressed: deflate in a zlib stream, or raw with a small window. */
export type ClusterCompression = 'deflate' | 'raw-deflate';

/** An image that takes compressed clusters, in the order of their numbers, and each once. */
export interface ClusterSink {
  readonly clusterBytes: number;
  readonly compression: ClusterCompression;
  /** Takes a cluster that is not zero, compressed and as it is. */
  put(cluster: number, packed: Uint8Array, plain: Uint8Array): Promise<void>;
  finish(): Promise<void>;
}

/** Compresses bytes, perhaps while others are compressed. */
export type Compress = (kind: ClusterCompression, bytes: Uint8Array) => Promise<Uint8Array>;

/** How a disk is copied. */
export interface CopyOptions {
  /** Is told how much of the disk is done. */
  readonly progress?: (doneBytes: number) => void;
  /** Compresses clusters; by default one after the other. */
  readonly compress?: Compress;
}

/** Compresses at once. */
export async function compressAtOnce(kind: ClusterCompression, bytes: Uint8Array): Promise<Uint8Array> {
  return kind === 'deflate' ? deflateSync(bytes) : deflateRawSync(bytes, { windowBits: RAW_WINDOW_BITS });
}

/** Copies a disk into an image that holds zeros and is at least as large. */
export async function copyDisk(from: DiskImage, into: DiskImage, options: CopyOptions = {}): Promise<void> {
  let done = 0;
  const pieces = dataPieces(from, PIECE_BYTES);
  await inLanes(PIECES_UNDER_WAY, async () => {
    for (;;) {
      const next = await pieces.next();
      if (next.done) return;
      const { position, length } = next.value;
      const bytes = new Uint8Array(length);
      await from.read(bytes, position);
      if (!isZero(bytes)) await into.write(bytes, position);
      done = Math.max(done, position + length);
      options.progress?.(done);
    }
  });
  await into.sync();
  options.progress?.(from.sizeBytes);
}

/** Copies a disk into an image of compressed clusters, and ends that. */
export async function packDisk(from: DiskImage, into: ClusterSink, options: CopyOptions = {}): Promise<void> {
  const { clusterBytes, compression } = into;
  const { compress = compressAtOnce, progress } = options;
  const pieceBytes = Math.max(PIECE_BYTES, clusterBytes);
  for await (const { position, length } of dataPieces(from, pieceBytes)) {
    const bytes = new Uint8Array(Math.ceil(length / clusterBytes) * clusterBytes);
    await from.read(bytes.subarray(0, length), position);
    const clusters: Uint8Array[] = [];
    for (let at = 0; at < length; at += clusterBytes) clusters.push(bytes.subarray(at, at + clusterBytes));
    // All clusters of a piece may be compressed side by side; they are put in order.
    const packed = clusters.map((cluster) => (isZero(cluster) ? undefined : compress(compression, cluster)));
    for (const [index, packing] of packed.entries()) {
      const plain = bytes.subarray(index * clusterBytes, (index + 1) * clusterBytes);
      if (packing) await into.put(position / clusterBytes + index, await packing, plain);
    }
    progress?.(position + length);
  }
  await into.finish();
  progress?.(from.sizeBytes);
}

/** The parts of a disk that may not be zero, in pieces that begin at a multiple of their size. */
async function* dataPieces(
  disk: DiskImage,
  pieceBytes: number,
): AsyncGenerator<{ readonly position: number; readonly length: number }, void> {
  let position = 0;
  while (position < disk.sizeBytes) {
    const extent = await disk.extent(position, disk.sizeBytes - position);
    const end = position + extent.length;
    if (extent.kind === 'zero') {
      // A piece that is zero in part is a piece.
      const next = end === disk.sizeBytes ? end : Math.floor(end / pieceBytes) * pieceBytes;
      if (next > position) {
        position = next;
        continue;
      }
    }
    // An extent is asked for once: to find it takes as long as it has clusters.
    do {
      const length = Math.min(pieceBytes - (position % pieceBytes), disk.sizeBytes - position);
      yield { position, length };
      position += length;
    } while (position < end);
  }
}

/** What an image says of itself. */
import { statSync } from 'node:fs';
import {
  backingOf,
  type DiskImage,
  type ImageSource,
  LAZY_REFCOUNTS,
  openImage,
  Qcow2Image,
  QCOW2_INCOMPATIBLE,
  RawImage,
  seemingFormat,
  VdiImage,
  VmdkImage,
} from '@ginit/block/image';
import type { ImageInfo } from './task.ts';

/** The space that a file takes on the host. */
export function spaceOf(file: string): number {
  return statSync(file).blocks * 512;
}

/** Describes an image. Nothing behind it is opened. */
export async function describeImage(source: ImageSource, file: string): Promise<ImageInfo> {
  const backing = await backingOf(source);
  // Nothing is read of the disk, so anything may stand for what lies behind it.
  const behind = backing && new RawImage(source.device, false);
  const image = await openImage(source.device, source.format, { writeable: false, backing: behind });
  const seems = await seemingFormat(source.device);
  return {
    file,
    format: source.format,
    seems: seems === source.format ? undefined : seems,
    diskBytes: image.sizeBytes,
    fileBytes: source.device.sizeBytes,
    spaceBytes: spaceOf(file),
    backing,
    details: detailsOf(image),
  };
}

function detailsOf(image: DiskImage): Readonly<Record<string, string | number>> {
  if (image instanceof Qcow2Image) return qcow2Details(image);
  if (image instanceof VdiImage) {
    const { isFixed, blockBytes, blocks, allocated } = image.map.header;
    return { kind: isFixed ? 'fixed' : 'dynamic', block_bytes: blockBytes, blocks, blocks_in_use: allocated };
  }
  if (image instanceof VmdkImage) {
    const kind = image.header.isCompressed ? 'compressed (streamOptimized)' : 'sparse';
    return { kind, grain_bytes: image.grainBytes };
  }
  return {};
}

function qcow2Details({ file }: Qcow2Image): Record<string, string | number> {
  const { version, clusterBits, compression, refcountOrder, snapshots, bitmaps } = file.header;
  const { incompatible, compatible } = file.header;
  const flags = [
    [incompatible & QCOW2_INCOMPATIBLE.dirty, 'not closed'],
    [incompatible & QCOW2_INCOMPATIBLE.corrupt, 'corrupt'],
    [incompatible & QCOW2_INCOMPATIBLE.extendedL2, 'subclusters'],
    [compatible & LAZY_REFCOUNTS, 'lazy refcounts'],
  ] as const;
  const set = flags.flatMap(([bit, name]) => (bit === 0 ? [] : [name]));
  return {
    version,
    cluster_bytes: 2 ** clusterBits,
    refcount_bits: 2 ** refcountOrder,
    compression,
    ...(snapshots > 0 ? { internal_snapshots: snapshots } : {}),
    ...(bitmaps ? { bitmaps: bitmaps.count } : {}),
    ...(set.length > 0 ? { flags: set.join(', ') } : {}),
  };
}

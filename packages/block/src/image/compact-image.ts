/** Images that are made as small as what they hold, in their place. */
import type { ByteDevice } from './byte-device.ts';
import type { DiskImage } from './disk-image.ts';
import { unsupported } from './image-error.ts';
import { compactQcow2 } from './qcow2/compact.ts';
import { Qcow2Image } from './qcow2/qcow2-image.ts';
import { compactRaw } from './raw/compact.ts';
import { RawImage } from './raw/raw-image.ts';
import { compactVdi } from './vdi/compact.ts';
import { VdiImage } from './vdi/vdi-image.ts';

/** What a compaction has done, in bytes of the disk. */
export interface Compaction {
  /** Zeros that took space. */
  readonly zeroBytes: number;
  /** What has another place in the file now. */
  readonly movedBytes: number;
}

/** Compacts an open image that nobody else uses; that closes it. Rejects with `ImageError`. */
export async function compactImage(
  device: ByteDevice,
  image: DiskImage,
  progress?: (share: number) => void,
): Promise<Compaction> {
  if (image instanceof RawImage) return { zeroBytes: await compactRaw(device, progress), movedBytes: 0 };
  if (image instanceof Qcow2Image) {
    const { zeroClusters, movedClusters } = await compactQcow2(image, progress);
    const { clusterBytes } = image.file.form;
    return { zeroBytes: zeroClusters * clusterBytes, movedBytes: movedClusters * clusterBytes };
  }
  if (image instanceof VdiImage) {
    const { zeroBlocks, movedBlocks } = await compactVdi(device, image, progress);
    const { blockBytes } = image.map.header;
    return { zeroBytes: zeroBlocks * blockBytes, movedBytes: movedBlocks * blockBytes };
  }
  throw unsupported(`a ${image.format} image is not compacted in its place: convert it`);
}

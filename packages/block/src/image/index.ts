/** Disk images: raw, qcow2, VDI and VMDK, over anything that holds bytes. */
export { type ByteDevice, readPadded, zeroRange } from './byte-device.ts';
export {
  type ClusterCompression,
  type ClusterSink,
  type Compress,
  compressAtOnce,
  copyDisk,
  type CopyOptions,
  packDisk,
  RAW_WINDOW_BITS,
} from './convert.ts';
export {
  type DiskExtent,
  type DiskImage,
  formatOfName,
  IMAGE_FORMATS,
  type ImageFormat,
  isImageFormat,
} from './disk-image.ts';
export { HostFileDevice } from './host-file-device.ts';
export {
  backingOf,
  type BackingName,
  type ChainOptions,
  type ImageSource,
  openChain,
} from './image-chain.ts';
export type { ImageCheck } from './image-check.ts';
export { ImageError, type ImageErrorCode } from './image-error.ts';
export { checkImage, openImage, type OpenImageOptions, seemingFormat } from './open-image.ts';
export { compactImage, type Compaction } from './compact-image.ts';
export {
  type BackingFile,
  backingFormat,
  type FileUse,
  formatNamedBy,
  type ImageFile,
  OpenFiles,
  type OpenHostFile,
} from './open-files.ts';
export { DiskDevice } from './disk-device.ts';
export { createQcow2, type CreateQcow2Options } from './qcow2/create.ts';
export { repairQcow2 } from './qcow2/repair.ts';
export { LAZY_REFCOUNTS, QCOW2_INCOMPATIBLE } from './qcow2/header.ts';
export { Qcow2PackedWriter } from './qcow2/packed-writer.ts';
export { Qcow2Image } from './qcow2/qcow2-image.ts';
export { RawImage } from './raw/raw-image.ts';
export { createVdi, type CreateVdiOptions } from './vdi/create.ts';
export { VdiImage } from './vdi/vdi-image.ts';
export { VmdkStreamWriter, type VmdkStreamOptions } from './vmdk/stream-writer.ts';
export { VmdkImage } from './vmdk/vmdk-image.ts';

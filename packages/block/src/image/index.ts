/** Disk images: raw, qcow2, VDI and VMDK, over anything that holds bytes. */
export { type ByteDevice, readPadded } from './byte-device.ts';
export { type DiskExtent, type DiskImage, IMAGE_FORMATS, type ImageFormat } from './disk-image.ts';
export type { ImageCheck } from './image-check.ts';
export { ImageError, type ImageErrorCode } from './image-error.ts';
export { checkQcow2 } from './qcow2/check.ts';
export { createQcow2, type CreateQcow2Options } from './qcow2/create.ts';
export { Qcow2Image } from './qcow2/qcow2-image.ts';
export { RawImage } from './raw/raw-image.ts';

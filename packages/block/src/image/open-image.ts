/** Images of any format: opened by a format that is given, never by what they hold. */
import { type ByteDevice, readPadded } from './byte-device.ts';
import type { DiskImage, ImageFormat } from './disk-image.ts';
import type { ImageCheck } from './image-check.ts';
import { ImageError } from './image-error.ts';
import { checkQcow2 } from './qcow2/check.ts';
import { QCOW2_MAGIC } from './qcow2/header.ts';
import { Qcow2Image } from './qcow2/qcow2-image.ts';
import { RawImage } from './raw/raw-image.ts';
import { checkVdi } from './vdi/check.ts';
import { VDI_SIGNATURE, VDI_SIGNATURE_AT } from './vdi/header.ts';
import { VdiImage } from './vdi/vdi-image.ts';
import { checkVmdk } from './vmdk/check.ts';
import { VMDK_DESCRIPTOR_START, VMDK_MAGIC } from './vmdk/header.ts';
import { VmdkImage } from './vmdk/vmdk-image.ts';

const FIRST_BYTES = 128;

/** How an image is opened. */
export interface OpenImageOptions {
  readonly writeable: boolean;
  /** The image behind it, if it has one. */
  readonly backing?: DiskImage | undefined;
}

/** Opens an image. Rejects with `ImageError`. */
export async function openImage(
  device: ByteDevice,
  format: ImageFormat,
  options: OpenImageOptions,
): Promise<DiskImage> {
  if (options.backing && format !== 'qcow2') {
    throw new ImageError('Invalid', `a ${format} image has no backing image`);
  }
  switch (format) {
    case 'raw':
      return new RawImage(device, options.writeable);
    case 'qcow2':
      return Qcow2Image.open(device, options);
    case 'vdi':
      return VdiImage.open(device, options);
    case 'vmdk':
      if (options.writeable) throw new ImageError('Unsupported', 'VMDK images are only read');
      return VmdkImage.open(device);
  }
}

/** Checks an image. Rejects with `ImageError` if it cannot even be read. */
export async function checkImage(
  device: ByteDevice,
  format: ImageFormat,
  progress?: (share: number) => void,
): Promise<ImageCheck> {
  switch (format) {
    case 'qcow2':
      return checkQcow2(device, progress);
    case 'vdi':
      return checkVdi(device);
    case 'vmdk':
      return checkVmdk(device, progress);
    case 'raw':
      throw new ImageError('Unsupported', 'a raw image has nothing that could be checked');
  }
}

/**
 * The format that an image seems to have. A raw disk may hold the header of any format: whoever
 * writes to the disk decides what this says, so use it for people, and for images that are trusted.
 */
export async function seemingFormat(device: ByteDevice): Promise<ImageFormat> {
  const first = new Uint8Array(FIRST_BYTES);
  await readPadded(device, first, 0);
  const view = new DataView(first.buffer);
  if (view.getUint32(0) === QCOW2_MAGIC) return 'qcow2';
  if (view.getUint32(VDI_SIGNATURE_AT, true) === VDI_SIGNATURE) return 'vdi';
  const text = new TextDecoder('latin1').decode(first.subarray(0, VMDK_DESCRIPTOR_START.length));
  if (view.getUint32(0, true) === VMDK_MAGIC || text === VMDK_DESCRIPTOR_START) return 'vmdk';
  return 'raw';
}

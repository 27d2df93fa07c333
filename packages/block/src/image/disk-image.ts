/** What all formats of disk images have in common once they are open. */
import { ImageError } from './image-error.ts';

/** The formats, by the names that configs and the command line use. */
export const IMAGE_FORMATS = ['raw', 'qcow2', 'vdi', 'vmdk'] as const;
/** One of `IMAGE_FORMATS`. */
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** What the names of image files end in. */
const NAME_ENDS: Readonly<Record<string, ImageFormat>> = {
  raw: 'raw',
  img: 'raw',
  qcow2: 'qcow2',
  vdi: 'vdi',
  vmdk: 'vmdk',
};

/** The format that the name of a file says, whatever the file holds. */
export function formatOfName(path: string): ImageFormat | undefined {
  const end = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  return path.includes('.') && Object.hasOwn(NAME_ENDS, end) ? NAME_ENDS[end] : undefined;
}

/** Whether a word is the name of a format. */
export function isImageFormat(word: string): word is ImageFormat {
  return IMAGE_FORMATS.some((format) => format === word);
}

/** What an image holds for a range of the disk. */
export interface DiskExtent {
  /**
   * `data`: bytes of its own; `zero`: zeros, which take no space; `backing`: nothing of its own, so
   * the backing image shows.
   */
  readonly kind: 'data' | 'zero' | 'backing';
  readonly length: number;
}

/**
 * An open image. Requests lie within the disk; they need no alignment. Many may be under way, and
 * those for the same bytes take effect in any order. Buffers are borrowed until the promise
 * settles. Everything rejects with `ImageError`.
 */
export interface DiskImage {
  readonly format: ImageFormat;
  /** The size of the disk that the image holds. */
  readonly sizeBytes: number;
  readonly writeable: boolean;
  read(into: Uint8Array, position: number): Promise<void>;
  write(from: Uint8Array, position: number): Promise<void>;
  /** Makes a range read as zeros, without taking space for it where that is possible. */
  writeZeroes(position: number, length: number): Promise<void>;
  /**
   * Says that a range is not needed any more. Its content is undefined until it is written again,
   * and its space is given back where that is possible.
   */
  discard(position: number, length: number): Promise<void>;
  /** Settles when every write that had ended before is on stable storage. */
  sync(): Promise<void>;
  /** What the image has at a position, for at most `lengthMax` bytes; the length is at least 1. */
  extent(position: number, lengthMax: number): Promise<DiskExtent>;
  /** Changes the size of the disk. What is beyond a smaller size is lost. */
  resize(sizeBytes: number): Promise<void>;
  /** Writes back what only memory has. The device below stays open. */
  close(): Promise<void>;
}

/** Refuses a change of an image that was opened for reading. */
export function checkWriteable(image: Pick<DiskImage, 'writeable'>): void {
  if (!image.writeable) throw new ImageError('ReadOnly', 'the image is open for reading only');
}

/** Refuses a range that does not lie within a disk. */
export function checkRange(
  { sizeBytes }: Pick<DiskImage, 'sizeBytes'>,
  position: number,
  length: number,
): void {
  const sound =
    Number.isSafeInteger(position) && Number.isSafeInteger(length) && position >= 0 && length >= 0;
  if (sound && position <= sizeBytes && length <= sizeBytes - position) return;
  throw new ImageError('Invalid', `${length} bytes from ${position} on are not within ${sizeBytes} bytes`);
}

/**
 * An image with all images behind it. An image names the one behind it, and whoever made the image
 * chose that name: it means nothing by itself, and whoever opens the chain decides what it leads
 * to.
 */
import type { ByteDevice } from './byte-device.ts';
import type { DiskImage, ImageFormat } from './disk-image.ts';
import { ImageError } from './image-error.ts';
import { openImage } from './open-image.ts';
import { readQcow2Header } from './qcow2/qcow2-file.ts';

/** The most images of a chain. */
const IMAGES_MAX = 32;

/** An image that is to be opened. */
export interface ImageSource {
  readonly device: ByteDevice;
  readonly format: ImageFormat;
  /** What errors call it. */
  readonly name: string;
}

/** What an image says of the one behind it. */
export interface BackingName {
  readonly name: string;
  /** The format that the image states, if it does. */
  readonly format: string | undefined;
}

/** How a chain is opened. */
export interface ChainOptions {
  /** Whether the first image may be written; those behind it are only read. */
  readonly writeable: boolean;
  /** Finds what a name in `image` leads to. Rejects with `ImageError` if it leads nowhere. */
  readonly behind: (backing: BackingName, image: ImageSource) => Promise<ImageSource>;
}

/** What an image says of the one behind it; `undefined` if there is none. */
export async function backingOf({ device, format }: ImageSource): Promise<BackingName | undefined> {
  if (format !== 'qcow2') return undefined;
  const { header } = await readQcow2Header(device);
  return header.backing === undefined ? undefined : { name: header.backing, format: header.backingFormat };
}

/** Opens an image with those behind it. Rejects with an `ImageError` that names the image. */
export async function openChain(first: ImageSource, options: ChainOptions): Promise<DiskImage> {
  const sources = [first];
  for (let source = first; ; ) {
    const backing = await named(source, () => backingOf(source));
    if (backing === undefined) break;
    if (sources.length === IMAGES_MAX) {
      throw new ImageError('Unsupported', `more than ${IMAGES_MAX} images lie behind each other`);
    }
    source = await named(source, () => options.behind(backing, source));
    sources.push(source);
  }
  let image: DiskImage | undefined;
  for (const source of sources.toReversed()) {
    const writeable = options.writeable && source === first;
    const { device, format } = source;
    const backing = image;
    image = await named(source, () => openImage(device, format, { writeable, backing }));
  }
  if (!image) throw new Error('a chain has one image at least');
  return image;
}

async function named<Result>({ name }: ImageSource, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new ImageError(error.code, `image "${name}": ${error.message}`);
  }
}

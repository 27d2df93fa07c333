/**
 * The files of images, opened with those behind them, for a program of the host: it says how a file
 * is opened. Components open theirs by grants.
 */
import type { HostFile } from '@ginit/core/host';
import { type DiskImage, formatOfName, type ImageFormat, isImageFormat } from './disk-image.ts';
import { HostFileDevice } from './host-file-device.ts';
import { type ImageSource, openChain } from './image-chain.ts';
import { ImageError } from './image-error.ts';

/** A file with an image. */
export interface ImageFile {
  readonly file: string;
  /** `undefined`: as the name ends. */
  readonly format: ImageFormat | undefined;
  /** The files behind it, in their order. */
  readonly backing: readonly BackingFile[];
}

/** A file with an image behind another one. */
export interface BackingFile {
  readonly file: string;
  /** `undefined`: as the image says, or as the name ends. */
  readonly format: ImageFormat | undefined;
}

/** How a file is used: nobody may write to it meanwhile, unless one only has a look. */
export type FileUse = 'look' | 'ro' | 'rw';

/** Opens a file of the host. Rejects with `RpcError`. */
export type OpenHostFile = (path: string, use: FileUse) => Promise<HostFile>;

/** The open files. */
export class OpenFiles implements AsyncDisposable {
  readonly #open: OpenHostFile;
  readonly #devices: HostFileDevice[] = [];

  constructor(open: OpenHostFile) {
    this.#open = open;
  }

  /** Opens a file. Rejects with an error that names it. */
  async open(path: string, use: FileUse): Promise<HostFileDevice> {
    const device = new HostFileDevice(await this.#open(path, use));
    this.#devices.push(device);
    return device;
  }

  /** Opens the file of an image. */
  async source({ file, format }: ImageFile, use: FileUse): Promise<ImageSource> {
    return { device: await this.open(file, use), format: format ?? formatNamedBy(file), name: file };
  }

  /** Opens an image with those behind it. */
  async image(image: ImageFile, access: 'ro' | 'rw'): Promise<DiskImage> {
    return this.chain(await this.source(image, access), image.backing, access === 'rw');
  }

  /** Opens the image of a file that is open, with those behind it. */
  async chain(first: ImageSource, files: readonly BackingFile[], writeable: boolean): Promise<DiskImage> {
    const left = files.values();
    const opened = await openChain(first, {
      writeable,
      behind: async ({ name, format }) => {
        const next = left.next();
        if (next.done) {
          throw new ImageError(
            'Invalid',
            `it needs the image "${name}" behind it: --backing FILE says which file that is`,
          );
        }
        return {
          device: await this.open(next.value.file, 'ro'),
          format: backingFormat(next.value, format),
          name: next.value.file,
        };
      },
    });
    const spare = left.next();
    if (!spare.done) throw new ImageError('Invalid', `no image has "${spare.value.file}" behind it`);
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const device of this.#devices) await device.close();
  }
}

/** The format that a name says. Throws if it says none: what a file holds is not asked. */
export function formatNamedBy(file: string): ImageFormat {
  const format = formatOfName(file);
  if (format !== undefined) return format;
  throw new ImageError('Invalid', `the name of "${file}" says no format, so --format must`);
}

/** The format of an image behind another one. Throws if nothing says it. */
export function backingFormat({ file, format }: BackingFile, stated?: string): ImageFormat {
  const found = format ?? stated ?? formatOfName(file);
  if (found !== undefined && isImageFormat(found)) return found;
  const why = found === undefined ? 'no known format' : `the format "${found}"`;
  throw new ImageError(
    'Unsupported',
    `the image "${file}" behind it has ${why}: --backing FORMAT:${file} says one`,
  );
}

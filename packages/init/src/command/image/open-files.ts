/** The files of one task: opened as ginit's drivers open theirs, so that writers are kept apart. */
import { realpathSync } from 'node:fs';
import {
  type DiskImage,
  formatOfName,
  HostFileDevice,
  ImageError,
  type ImageFormat,
  type ImageSource,
  isImageFormat,
  openChain,
} from '@ginit/block/image';
import { openNodeFile } from '@ginit/core/supervisor';
import { systemReason } from '../system-reason.ts';
import type { BackingFile, ImageFile } from './task.ts';

/** The open files. */
export class OpenFiles implements AsyncDisposable {
  readonly #devices: HostFileDevice[] = [];

  /**
   * Opens a file. Rejects with `ImageError`, or an error that names the file. Nobody may write to
   * it meanwhile, unless one only has a look.
   */
  async open(path: string, access: 'look' | 'ro' | 'rw'): Promise<HostFileDevice> {
    let target: string;
    try {
      target = realpathSync(path);
    } catch (error) {
      throw new ImageError('InputOutput', `file "${path}": ${systemReason(error)}`);
    }
    const device = new HostFileDevice(
      await openNodeFile(target, path, access === 'rw' ? 'rw' : 'ro', { steady: access === 'ro' }),
    );
    this.#devices.push(device);
    return device;
  }

  /** Opens the file of an image. */
  async source({ file, format }: ImageFile, access: 'look' | 'ro' | 'rw'): Promise<ImageSource> {
    return { device: await this.open(file, access), format: format ?? formatNamedBy(file), name: file };
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

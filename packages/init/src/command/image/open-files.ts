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
import type { ImageFile } from './task.ts';

/** The open files. */
export class OpenFiles implements AsyncDisposable {
  readonly #devices: HostFileDevice[] = [];

  /** Opens a file. Rejects with `ImageError`, or an error that names the file. */
  async open(path: string, access: 'ro' | 'rw'): Promise<HostFileDevice> {
    let target: string;
    try {
      target = realpathSync(path);
    } catch (error) {
      throw new ImageError('InputOutput', `file "${path}": ${systemReason(error)}`);
    }
    const device = new HostFileDevice(await openNodeFile(target, path, access));
    this.#devices.push(device);
    return device;
  }

  /** Opens the file of an image. */
  async source({ file, format }: ImageFile, access: 'ro' | 'rw'): Promise<ImageSource> {
    return { device: await this.open(file, access), format: format ?? formatNamedBy(file), name: file };
  }

  /** Opens an image with those behind it. */
  async image(image: ImageFile, access: 'ro' | 'rw'): Promise<DiskImage> {
    return this.chain(await this.source(image, access), image.backing, access === 'rw');
  }

  /** Opens the image of a file that is open, with those behind it. */
  async chain(first: ImageSource, files: readonly string[], writeable: boolean): Promise<DiskImage> {
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
          device: await this.open(next.value, 'ro'),
          format: backingFormat(next.value, format),
          name: next.value,
        };
      },
    });
    const spare = left.next();
    if (!spare.done) throw new ImageError('Invalid', `no image has "${spare.value}" behind it`);
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

function backingFormat(file: string, stated: string | undefined): ImageFormat {
  if (stated === undefined) return formatNamedBy(file);
  if (isImageFormat(stated)) return stated;
  throw new ImageError('Unsupported', `the image "${file}" behind it has the format "${stated}"`);
}

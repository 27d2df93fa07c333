/** Mounts what is in an image file, in the thread of the caller. */
import { FsError } from '../errors.ts';
import { type LocalOperations, type PromisesMountOptions, startOperations } from '../promises/index.ts';
import { hostWorld } from './host-world.ts';
import { type ImageWishes, openImageDevice } from './image-device.ts';

/** Which image, and the wishes of whoever mounts it. All of it is plain data. */
export interface WorkerMount {
  readonly image: ImageWishes;
  readonly options: PromisesMountOptions;
}

/** Opens and mounts it. */
export async function openImage(
  { image, options }: WorkerMount,
  console: (line: string) => void,
): Promise<LocalOperations> {
  const device = await openImageDevice(image);
  const others = image.partition === undefined ? await device.partitions().catch(() => []) : [];
  try {
    return await startOperations(device, hostWorld(console), options);
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'NoFileSystem' || others.length === 0) throw error;
    const which = others.map((number) => `${image.file}:${number}`).join(', ');
    throw new FsError('NoFileSystem', `"${image.file}" is a disk with partitions: say which one (${which})`);
  }
}

/** `mount` for programs: a file system in an image, or on a Block session, as `fs.promises`. */
import { getRandomValues } from 'node:crypto';
import { deviceOf, type MountableBlocks } from '../promises/block-device.ts';
import { type MountedFs, mountedFs, type PromisesMountOptions, startOperations } from '../promises/index.ts';
import { hostWorld } from './host-world.ts';
import { openImage } from './open-image.ts';
import { placeOf } from './place.ts';
import { WorkerOperations } from './worker-operations.ts';

/** The wishes of whoever mounts. */
export interface NodeMountOptions extends PromisesMountOptions {
  /** The format of an image: raw, qcow2, vdi or vmdk; missing: as its name ends, else raw. */
  readonly format?: string;
  /** The images behind it, in their order; `FORMAT:FILE` also says a format. */
  readonly backing?: readonly string[];
  /** The number of a partition; a name of an image is then the whole name of its file. */
  readonly partition?: number;
  /** Whether the file system lives in a thread of its own, so that this one stays free. */
  readonly worker?: boolean;
  /** Takes what the file system has to say, such as why it is read-only. */
  readonly log?: (line: string) => void;
}

/**
 * Mounts the file system in an image file (`disk.qcow2`, `disk.img:2` for its second partition), or
 * on a Block session. Rejects with an `FsError` where there is none, with an `RpcError` if the
 * image is not sound or in use, and with Node's error if its file cannot be opened.
 *
 *     await using fs = await mount('disk.img');
 *     await fs.writeFile('/hello.txt', 'hello\n');
 */
export async function mount(
  source: string | MountableBlocks,
  { log = () => {}, worker = false, format, backing, partition, ...options }: NodeMountOptions = {},
): Promise<MountedFs> {
  const random = (into: Uint8Array): void => void getRandomValues(into);
  if (typeof source !== 'string') {
    if (worker) throw new TypeError('a Block session belongs to this thread: no worker can use it');
    return mountedFs(await startOperations(deviceOf(source), hostWorld(log), options), random);
  }
  const place = partition === undefined ? placeOf(source) : { file: source, partition };
  const image = {
    file: place.file,
    readOnly: options.readOnly ?? false,
    ...(place.partition === undefined ? {} : { partition: place.partition }),
    ...(format === undefined ? {} : { format }),
    ...(backing === undefined ? {} : { backing }),
  };
  const operations = worker
    ? await WorkerOperations.start({ image, options }, log)
    : await openImage({ image, options }, log);
  return mountedFs(operations, random);
}

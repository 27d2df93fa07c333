import { FsError } from './errors.ts';
import { mountExt2, probeExt2 } from './ext2/ext2.ts';
import type { BlockIo, Hypercalls } from './hypercall/hypercalls.ts';
import type { FileSystem } from './vnode/file-system.ts';
import { Mount } from './vnode/mount.ts';
import type { MountOptions } from './vnode/mount-options.ts';

/** The functions that recognise and mount a format. */
interface FileSystemType {
  probe(bio: BlockIo): Promise<boolean>;
  mount(hypercalls: Hypercalls, options: MountOptions): Promise<FileSystem>;
}

/** Every format there is; `auto` probes them in this order. */
const types: ReadonlyMap<string, FileSystemType> = new Map<string, FileSystemType>([
  ['ext2', { probe: probeExt2, mount: (hypercalls, { writeable }) => mountExt2(hypercalls, writeable) }],
]);

/** The names that `mountFileSystem` knows besides `auto`. */
export const fileSystemTypes: readonly string[] = [...types.keys()];

/**
 * Mounts what is on the device: a format by its name, or `auto` for the first that recognises it.
 * With `writeable` the mount allows changes if the device and the format's features do; otherwise
 * it says on the console why not.
 */
export async function mountFileSystem(
  hypercalls: Hypercalls,
  type: string,
  options: MountOptions,
): Promise<Mount> {
  const found = type === 'auto' ? await recognise(hypercalls.bio) : types.get(type);
  if (found === undefined) {
    throw type === 'auto'
      ? new FsError('NoFileSystem', `no known file system (${fileSystemTypes.join(', ')}) on the device`)
      : new FsError(
          'NotSupported',
          `no file system "${type}"; there are auto, ${fileSystemTypes.join(', ')}`,
        );
  }
  return Mount.create(await found.mount(hypercalls, options), hypercalls);
}

async function recognise(bio: BlockIo): Promise<FileSystemType | undefined> {
  for (const type of types.values()) if (await type.probe(bio)) return type;
  return undefined;
}

import { FsError } from './errors.ts';
import { mountExt, probeExt } from './ext/ext.ts';
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
  ['ext2', { probe: probeExt, mount: mountExt }],
]);

/** Other names of formats: those of ext2's successors, and the one that NetBSD has. */
const ALIASES: Readonly<Record<string, string>> = { ext2fs: 'ext2', ext3: 'ext2', ext4: 'ext2' };

/** The names that `mountFileSystem` knows besides `auto`. */
export const fileSystemTypes: readonly string[] = [...types.keys(), ...Object.keys(ALIASES)];

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
  const found = type === 'auto' ? await recognise(hypercalls.bio) : types.get(ALIASES[type] ?? type);
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

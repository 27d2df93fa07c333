import { mountCd9660, probeCd9660 } from './cd9660/cd9660.ts';
import { checkMsdos } from './check/check-msdos.ts';
import { checkCd9660 } from './check/cd9660/check-cd9660.ts';
import { checkExfat, repairExfat } from './check/exfat/check-exfat.ts';
import { checkExt } from './check/ext/check-ext.ts';
import { checkFfs, repairFfs } from './check/ffs/check-ffs.ts';
import type { CheckReport, RepairReport } from './check/report.ts';
import { FsError } from './errors.ts';
import { mountExfat, probeExfat } from './exfat/exfat.ts';
import { mountExt, probeExt } from './ext/ext.ts';
import { mountFfs, probeFfs } from './ffs/ffs.ts';
import type { BlockIo, Hypercalls } from './hypercall/hypercalls.ts';
import { mountMsdos, probeMsdos } from './msdos/msdos.ts';
import type { FileSystem } from './vnode/file-system.ts';
import { Mount } from './vnode/mount.ts';
import type { MountOptions } from './vnode/mount-options.ts';

/** The functions that recognise and mount a format. */
interface FileSystemType {
  probe(bio: BlockIo): Promise<boolean>;
  mount(hypercalls: Hypercalls, options: MountOptions): Promise<FileSystem>;
  /** Looks for mistakes, with code that shares nothing with the rest. */
  check?(bio: BlockIo): Promise<CheckReport>;
  /** Mends what `check` finds. */
  repair?(bio: BlockIo): Promise<RepairReport>;
}

/** Every format there is; `auto` probes them in this order. */
const types: ReadonlyMap<string, FileSystemType> = new Map<string, FileSystemType>([
  ['ext2', { probe: probeExt, mount: mountExt, check: checkExt }],
  ['cd9660', { probe: probeCd9660, mount: mountCd9660, check: checkCd9660 }],
  ['msdos', { probe: probeMsdos, mount: mountMsdos, check: checkMsdos }],
  ['ffs', { probe: probeFfs, mount: mountFfs, check: checkFfs, repair: repairFfs }],
  ['exfat', { probe: probeExfat, mount: mountExfat, check: checkExfat, repair: repairExfat }],
]);

/** Other names of formats: those of ext2's successors, and the one that NetBSD has. */
const ALIASES: Readonly<Record<string, string>> = { ext2fs: 'ext2', ext3: 'ext2', ext4: 'ext2', ufs: 'ffs' };

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
  const found = await typeOf(hypercalls.bio, type);
  return Mount.create(await found.mount(hypercalls, options), hypercalls);
}

/**
 * Checks what is on the device, and changes nothing: a format by its name, or `auto`. Rejects where
 * there is none of that name, or nothing in it that can be followed, or, with `NotSupported`, where
 * there is no checker for the format.
 */
export async function checkFileSystem(bio: BlockIo, type: string): Promise<CheckReport> {
  const { check } = await typeOf(bio, type);
  if (check === undefined) throw new FsError('NotSupported', 'there is no checker for this format');
  return check(bio);
}

/** The name of the format on a device; undefined if it has none that is known. */
export async function recogniseFileSystem(bio: BlockIo): Promise<string | undefined> {
  for (const [name, type] of types) if (await type.probe(bio)) return name;
  return undefined;
}

/**
 * Checks what is on the device, and mends it. Rejects with `NotSupported` where there is nothing
 * that can mend the format, or with `ReadOnly`.
 */
export async function repairFileSystem(bio: BlockIo, type: string): Promise<RepairReport> {
  const { repair } = await typeOf(bio, type);
  if (repair === undefined)
    throw new FsError(
      'NotSupported',
      `what is on the device is checked, but not mended: only ${mendedTypes()} are`,
    );
  if (!bio.writeable) throw new FsError('ReadOnly', 'the device cannot be written');
  return repair(bio);
}

function mendedTypes(): string {
  return [...types]
    .filter(([, type]) => type.repair !== undefined)
    .map(([name]) => name)
    .join(' and ');
}

async function typeOf(bio: BlockIo, type: string): Promise<FileSystemType> {
  const name = type === 'auto' ? await recogniseFileSystem(bio) : (ALIASES[type] ?? type);
  const found = name === undefined ? undefined : types.get(name);
  if (found !== undefined) return found;
  throw type === 'auto'
    ? new FsError('NoFileSystem', `no known file system (${fileSystemTypes.join(', ')}) on the device`)
    : new FsError('NotSupported', `no file system "${type}"; there are auto, ${fileSystemTypes.join(', ')}`);
}

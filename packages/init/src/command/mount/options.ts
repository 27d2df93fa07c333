/** The command line of `ginit mount`, and its help. */
import { parseArgs } from 'node:util';
import { formatOfName, IMAGE_FORMATS, type ImageFormat, isImageFormat } from '@ginit/block/image';
import { parseBytes } from '@ginit/core/config';
import { fileSystemTypes } from '@ginit/rumpfs';

/** The help text of `ginit mount`. */
export const MOUNT_HELP = `ginit mount: the file system in a disk image, at a directory of the host

  ginit mount [OPTIONS] IMAGE[:PART] DIRECTORY

Runs a system that mounts the image (raw, qcow2, vdi or vmdk) with ginit's own file systems, until Ctrl-C, or until
somebody unmounts the directory (umount DIRECTORY). Everything is saved then. PART is the number of a partition; without it
the whole disk is one file system.

  -r, --read-only   nothing is changed; a journal is replayed in memory
  --allow-other     other users of the host may look at it, too
  --uid N, --gid N  the owner and group that everything shows, for file systems that have none
  --umask OCTAL     permissions that nothing shows, likewise
  -f, --format FORMAT
                    of the image: ${IMAGE_FORMATS.join(', ')} (default: as the name ends, else raw)
  -t, --type TYPE   the format of the file system: ${fileSystemTypes.join(', ')}
                    (default: what is found)
  --ram SIZE        memory for its cache (default: 64M, at least 8M)

It takes root and /dev/fuse, or fusermount3 (package fuse3). A system of your own mounts any File_system session by the
component fuse (ginit help fuse).`;

/** What is to be mounted, and how. */
export interface MountOptions {
  readonly image: string;
  readonly format: ImageFormat;
  readonly partition: number | undefined;
  readonly directory: string;
  readonly readOnly: boolean;
  readonly allowOther: boolean;
  readonly uid: string | undefined;
  readonly gid: string | undefined;
  readonly umask: string | undefined;
  readonly type: string | undefined;
  readonly ram: string;
}

/** What there is at a path of the host; `file` is also a block device. */
export type PlaceKind = 'file' | 'directory' | 'other' | undefined;

const OPTIONS = {
  'read-only': { type: 'boolean', short: 'r' },
  'allow-other': { type: 'boolean' },
  uid: { type: 'string' },
  gid: { type: 'string' },
  umask: { type: 'string' },
  format: { type: 'string', short: 'f' },
  type: { type: 'string', short: 't' },
  ram: { type: 'string', default: '64M' },
} as const;

/** The largest id of an owner: the one above it means none. */
const ID_MAX = 2 ** 32 - 2;
const RAM_BYTES_MIN = 8 * 1024 * 1024;

/** A command line that is wrong; `message` says how. */
class Wrong extends Error {}

/**
 * Reads the arguments after `mount`. A text says what is wrong with them: all that can be seen
 * here, since the config that is made of them is no file of the user's to point at. `kindOf` says
 * what there is at a path.
 */
export function parseMountArguments(
  args: readonly string[],
  kindOf: (path: string) => PlaceKind,
): MountOptions | string {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const [source, directory, extra] = positionals;
    if (source === undefined) throw new Wrong('no image given');
    if (directory === undefined) throw new Wrong('no directory given');
    if (extra !== undefined) throw new Wrong(`one image at one directory, not also "${extra}"`);
    const { image, partition } = imageOf(source, kindOf);
    return {
      image,
      format: formatOf(values.format) ?? formatOfName(image) ?? 'raw',
      partition,
      directory: directoryOf(directory, kindOf),
      readOnly: values['read-only'] ?? false,
      allowOther: values['allow-other'] ?? false,
      uid: idOf('--uid', values.uid),
      gid: idOf('--gid', values.gid),
      umask: umaskOf(values.umask),
      type: typeOf(values.type),
      ram: ramOf(values.ram),
    };
  } catch (error) {
    return `mount: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function imageOf(
  source: string,
  kindOf: (path: string) => PlaceKind,
): { readonly image: string; readonly partition: number | undefined } {
  const isWhole = kindOf(source) !== undefined;
  const [, image = source, number] = isWhole ? [] : (/^(.*):(\d{1,4})$/s.exec(source) ?? []);
  const kind = kindOf(image);
  if (kind === undefined) throw new Wrong(`there is no image "${image}"`);
  if (kind !== 'file') throw new Wrong(`"${image}" is no image: it is no file`);
  return { image, partition: number === undefined ? undefined : Number(number) };
}

function directoryOf(path: string, kindOf: (path: string) => PlaceKind): string {
  const kind = kindOf(path);
  if (kind === undefined) throw new Wrong(`there is no directory "${path}": make it first`);
  if (kind !== 'directory') throw new Wrong(`"${path}" is no directory`);
  return path;
}

function formatOf(word: string | undefined): ImageFormat | undefined {
  if (word === undefined || isImageFormat(word)) return word;
  throw new Wrong(`--format ${word}: not one of ${IMAGE_FORMATS.join(', ')}`);
}

function typeOf(word: string | undefined): string | undefined {
  if (word === undefined || word === 'auto' || fileSystemTypes.includes(word)) return word;
  throw new Wrong(`--type ${word}: not one of auto, ${fileSystemTypes.join(', ')}`);
}

function idOf(option: string, digits: string | undefined): string | undefined {
  if (digits === undefined || (/^\d{1,10}$/.test(digits) && Number(digits) <= ID_MAX)) return digits;
  throw new Wrong(`${option} ${digits}: not a number from 0 to ${ID_MAX}`);
}

function umaskOf(digits: string | undefined): string | undefined {
  if (digits === undefined || /^[0-7]{1,4}$/.test(digits)) return digits;
  throw new Wrong(`--umask ${digits}: not octal digits, such as 022`);
}

function ramOf(size: string): string {
  const bytes = parseBytes(size);
  if (bytes === undefined) throw new Wrong(`--ram ${size}: not a size (for example 128M)`);
  if (bytes < RAM_BYTES_MIN) throw new Wrong(`--ram ${size}: less than 8M`);
  return size;
}

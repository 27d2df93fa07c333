/** The command line of `ginit mount`, and its help. */
import { parseArgs } from 'node:util';

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
  -t, --type TYPE   the format of the file system (default: what is found)
  --ram SIZE        memory for its cache (default: 64M)

It takes root and /dev/fuse, or fusermount3 (package fuse3). A system of your own mounts any File_system session by the
component fuse (ginit help fuse).`;

/** What is to be mounted, and how. */
export interface MountOptions {
  readonly image: string;
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

const OPTIONS = {
  'read-only': { type: 'boolean', short: 'r' },
  'allow-other': { type: 'boolean' },
  uid: { type: 'string' },
  gid: { type: 'string' },
  umask: { type: 'string' },
  type: { type: 'string', short: 't' },
  ram: { type: 'string' },
} as const;

/**
 * Reads the arguments after `mount`. A text says what is wrong with them. `isThere` says whether
 * there is a file with a name.
 */
export function parseMountArguments(
  args: readonly string[],
  isThere: (path: string) => boolean,
): MountOptions | string {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const [source, directory, extra] = positionals;
    if (source === undefined) return 'mount: no image given';
    if (directory === undefined) return 'mount: no directory given';
    if (extra !== undefined) return `mount: one image at one directory, not also "${extra}"`;
    const [, name = source, number] = isThere(source) ? [] : (/^(.*):(\d{1,4})$/s.exec(source) ?? []);
    if (!isThere(name)) return `mount: there is no image "${name}"`;
    return {
      image: name,
      partition: number === undefined ? undefined : Number(number),
      directory,
      readOnly: values['read-only'] ?? false,
      allowOther: values['allow-other'] ?? false,
      uid: values.uid,
      gid: values.gid,
      umask: values.umask,
      type: values.type,
      ram: values.ram ?? '64M',
    };
  } catch (error) {
    return `mount: ${error instanceof Error ? error.message : String(error)}`;
  }
}

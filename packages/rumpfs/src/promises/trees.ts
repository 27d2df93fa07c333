/** Whole trees of a mount: listing them, removing them, and making the way to a directory. */
import { joined, splitPath } from './arguments.ts';
import type { TreeFs } from './tree-fs.ts';
import { attempting, isNodeError } from './node-error.ts';
import type { FsOperations } from './operations.ts';
import { MountedDirent } from './stats.ts';

const NAME_CHARACTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const NAME_LENGTH = 6;

/** The entries of a directory, or of all below it, and their paths from there. */
export async function listTree(
  operations: FsOperations,
  path: string,
  recursive: boolean,
): Promise<{ readonly found: MountedDirent[]; readonly names: string[] }> {
  const found: MountedDirent[] = [];
  const names: string[] = [];
  const left = [{ directory: path, prefix: '' }];
  for (let next = left.shift(); next; next = left.shift()) {
    const { directory, prefix } = next;
    const listed = await attempting({ syscall: 'scandir', path: directory }, () =>
      operations.listAll(directory),
    );
    for (const entry of listed) {
      found.push(new MountedDirent(entry, directory));
      names.push(`${prefix}${entry.name}`);
      if (recursive && entry.type === 'directory') {
        left.push({ directory: joined(directory, entry.name), prefix: `${prefix}${entry.name}/` });
      }
    }
  }
  return { found, names };
}

/**
 * Makes a directory and those above it that are missing; the result is the first that was made.
 */
export async function makeWay(fs: TreeFs, path: string, mode: number): Promise<string | undefined> {
  try {
    await fs.mkdir(path, { mode });
    return path.replace(/(.)\/+$/, '$1');
  } catch (error) {
    if (isNodeError(error, 'EEXIST') && (await fs.stat(path)).isDirectory()) return undefined;
    const { directory } = splitPath(path);
    if (!isNodeError(error, 'ENOENT') || directory === '/') throw error;
    const first = await makeWay(fs, directory, mode);
    const own = await makeWay(fs, path, mode);
    return first ?? own;
  }
}

/** Removes a directory with all that is in it. */
export async function removeTree(fs: TreeFs, path: string): Promise<void> {
  for (const entry of await fs.readdir(path, { withFileTypes: true })) {
    const below = joined(path, entry.name);
    if (entry.isDirectory()) await removeTree(fs, below);
    else await fs.unlink(below);
  }
  await fs.rmdir(path);
}

/** A name that nobody has chosen. */
export function randomName(random: (into: Uint8Array) => void): string {
  const bytes = new Uint8Array(NAME_LENGTH);
  random(bytes);
  return Array.from(bytes, (byte) => NAME_CHARACTERS[byte % NAME_CHARACTERS.length]).join('');
}

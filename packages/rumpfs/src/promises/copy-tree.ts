/** Copying whole trees within a mount, as `fs.promises.cp` does it. */
import { joined, normalPath, splitPath } from './arguments.ts';
import { CONSTANTS } from './constants.ts';
import type { TreeFs } from './tree-fs.ts';
import { isNodeError } from './node-error.ts';
import type { MountedStats } from './stats.ts';

/** What `cp` takes. */
export interface CopyOptions {
  readonly recursive?: boolean;
  /** Whether what is there is replaced; true if it is missing. */
  readonly force?: boolean;
  readonly errorOnExist?: boolean;
  readonly dereference?: boolean;
  readonly preserveTimestamps?: boolean;
  readonly verbatimSymlinks?: boolean;
  readonly mode?: number;
  readonly filter?: (source: string, destination: string) => boolean | Promise<boolean>;
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC, COPYFILE_EXCL } = CONSTANTS;
const PIECE_BYTES = 1024 * 1024;

/** Copies a file, a link or a tree. */
export async function copyTree(
  fs: TreeFs,
  source: string,
  destination: string,
  options: CopyOptions,
): Promise<void> {
  if (options.filter && !(await options.filter(source, destination))) return;
  const stats = options.dereference === true ? await fs.stat(source) : await fs.lstat(source);
  const there = await statsOrNone(fs, destination, options.dereference === true);
  refuse(source, destination, { stats, there, options });
  const { directory } = splitPath(normalPath(destination));
  await fs.mkdir(directory, { recursive: true });
  await copyNode(fs, source, destination, { stats, there, options });
}

interface Copy {
  readonly stats: MountedStats;
  readonly there: MountedStats | undefined;
  readonly options: CopyOptions;
}

async function copyNode(fs: TreeFs, source: string, destination: string, copy: Copy): Promise<void> {
  const { stats, there, options } = copy;
  if (stats.isDirectory()) {
    if (!there) await fs.mkdir(destination, { mode: stats.mode & 0o7777 });
    for (const { name } of await fs.readdir(source, { withFileTypes: true })) {
      await copyTree(fs, joined(source, name), joined(destination, name), options);
    }
    if (!there && fs.keepsPermissions) await fs.chmod(destination, stats.mode & 0o7777);
    return;
  }
  if (stats.isSymbolicLink()) return copyLink(fs, source, destination, copy);
  if (!stats.isFile()) throw refusal('ERR_FS_CP_UNKNOWN', `cannot copy a device, pipe or socket: ${source}`);
  if (there) {
    if (options.force === false && options.errorOnExist === true) {
      throw refusal('ERR_FS_CP_EEXIST', `Target already exists: ${destination}`);
    }
    if (options.force === false) return;
  }
  await fs.copyFile(source, destination, (options.mode ?? 0) & ~COPYFILE_EXCL);
  if (options.preserveTimestamps === true) await fs.utimes(destination, stats.atime, stats.mtime);
}

async function copyLink(fs: TreeFs, source: string, destination: string, copy: Copy): Promise<void> {
  const text = await fs.readlink(source);
  const verbatim = copy.options.verbatimSymlinks === true || text.startsWith('/');
  const target = verbatim ? text : normalPath(joined(splitPath(normalPath(source)).directory, text));
  if (copy.there) await fs.unlink(destination);
  await fs.symlink(target, destination);
}

function refuse(source: string, destination: string, { stats, there, options }: Copy): void {
  const [from, to] = [normalPath(source), normalPath(destination)];
  if (from === to) throw refusal('ERR_FS_CP_EINVAL', `src and dest cannot be the same: ${source}`);
  if (there) {
    if (stats.isDirectory() && !there.isDirectory())
      throw refusal(
        'ERR_FS_CP_DIR_TO_NON_DIR',
        `cannot overwrite non-directory ${destination} with ${source}`,
      );
    if (!stats.isDirectory() && there.isDirectory())
      throw refusal('ERR_FS_CP_NON_DIR_TO_DIR', `cannot overwrite directory ${destination} with ${source}`);
  }
  if (!stats.isDirectory()) return;
  if (options.recursive !== true) throw refusal('ERR_FS_EISDIR', `Recursive option not enabled: ${source}`);
  if (to.startsWith(from === '/' ? '/' : `${from}/`))
    throw refusal('ERR_FS_CP_EINVAL', `cannot copy ${source} to a subdirectory of self ${destination}`);
}

async function statsOrNone(fs: TreeFs, path: string, follow: boolean): Promise<MountedStats | undefined> {
  try {
    return await (follow ? fs.stat(path) : fs.lstat(path));
  } catch (error) {
    if (isNodeError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Copies the content of a file, and its permissions. */
export async function copyContent(
  fs: TreeFs,
  source: string,
  destination: string,
  exclusive: boolean,
): Promise<void> {
  await using from = await fs.open(source, O_RDONLY);
  const { mode } = await from.stat();
  const flags = O_WRONLY | O_CREAT | (exclusive ? CONSTANTS.O_EXCL : O_TRUNC);
  await using to = await fs.open(destination, flags, mode & 0o7777);
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let position = 0; ; ) {
    const { bytesRead } = await from.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) break;
    for (let done = 0; done < bytesRead; ) {
      done += (await to.write(buffer, done, bytesRead - done, position + done)).bytesWritten;
    }
    position += bytesRead;
  }
}

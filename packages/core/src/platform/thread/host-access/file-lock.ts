/**
 * A writer of a file must be alone, because two file systems on one image corrupt it. So a file
 * that is opened for writing is locked in the manner of QEMU (block/file-posix.c), and QEMU and
 * ginit notice each other. A shared lock on byte 100 + N of the file says "I use permission N"; one
 * on byte 200 + N says "nobody else may". A program locks its own bytes first, and then looks
 * whether another one has a byte locked that speaks against it. The content of these bytes does not
 * matter, and the file may be shorter. Who only reads may lock a file, too, so that nobody writes
 * to it meanwhile.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { RpcError } from '../../../errors.ts';
import type { HostErrorCode } from '../../../runtime/host-access.ts';
import { Kernel } from '../../host/kernel.ts';

const USES = 100;
const EXCLUDES = 200;
const PERMISSION = { consistentRead: 0, write: 1, resize: 3 } as const;
/** What one does with a file, by how it is opened, and what others may not do meanwhile. */
const OURS = {
  ro: [PERMISSION.consistentRead],
  rw: [PERMISSION.consistentRead, PERMISSION.write],
} as const;
const NOT_FOR_OTHERS = [PERMISSION.write, PERMISSION.resize];

/** An open file. */
export interface LockableFile {
  readonly descriptor: number;
  readonly device: number;
  readonly inode: number;
}

/**
 * Locks a file for as long as it is open. Throws `InUse` if another program writes to it, or to
 * write if another one relies on what it holds; `path` is its name in the config. The result says
 * why it cannot be locked here, in words for people.
 */
export function lockFile(file: LockableFile, path: string, access: 'ro' | 'rw'): string | undefined {
  const lack = 'files cannot be locked: that two programs write to one image is not noticed';
  const kernel = Kernel.load();
  if (typeof kernel === 'string') return `${lack}: ${kernel}`;
  let free: boolean;
  try {
    free = lockBytes(kernel, file.descriptor, OURS[access]);
  } catch (error) {
    // The file system of the host has no locks.
    return `${lack}: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (free) return undefined;
  const holders = holdersOf(file);
  const who = holders.length > 0 ? holders.join(' and ') : 'a program that cannot be seen from here';
  throw new RpcError<HostErrorCode>('InUse', `file "${path}" is in use by ${who}`);
}

function lockBytes(kernel: Kernel, descriptor: number, ours: readonly number[]): boolean {
  const own = [...ours.map((bit) => USES + bit), ...NOT_FOR_OTHERS.map((bit) => EXCLUDES + bit)];
  if (!own.every((at) => kernel.lockShared(descriptor, at))) return false;
  const against = [...ours.map((bit) => EXCLUDES + bit), ...NOT_FOR_OTHERS.map((bit) => USES + bit)];
  return !against.some((at) => kernel.isLockedByOthers(descriptor, at));
}

/**
 * The processes that have the file locked, as far as this one may see them. The kernel does not
 * tell their numbers, but shows the locks of each descriptor.
 */
function holdersOf(file: LockableFile): string[] {
  try {
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return [...new Set(processes.filter((pid) => holds(pid, file)).map(describe))];
  } catch {
    // A jail shows nothing of other processes, and a process may end while it is looked at.
    return [];
  }
}

function holds(pid: string, { descriptor, device, inode }: LockableFile): boolean {
  try {
    return readdirSync(`/proc/${pid}/fdinfo`).some((name) => {
      if (pid === String(process.pid) && name === String(descriptor)) return false;
      if (!/^lock:.*OFDLCK/m.test(readFileSync(`/proc/${pid}/fdinfo/${name}`, 'utf8'))) return false;
      const { dev, ino } = statSync(`/proc/${pid}/fd/${name}`);
      return dev === device && ino === inode;
    });
  } catch {
    // The process has ended meanwhile, or belongs to another user.
    return false;
  }
}

/**
 * A process, in words for people. A component's process is called by the ginit that it belongs to.
 */
function describe(pid: string): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const owner = /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (words.some((word) => basename(word) === 'domain-main.js'))
    return `ginit, process ${owner ?? pid}${owner === String(process.ppid) ? ' (this system itself)' : ''}`;
  const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  return `process ${pid} (${name})`;
}

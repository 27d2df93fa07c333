/**
 * Opening granted things of the host without being led astray. The target of a grant was looked up
 * once, when the config was checked: it is a real path, without links. A program that can write to
 * a directory on that path may put a link there afterwards, which leads to something that only
 * ginit may open. So a thing is first opened in a way that does nothing with it; then its place is
 * compared with the target; only then it is used, by its descriptor. A file that was replaced by
 * another one with its name is still granted. Where there is no `/proc`, the path is looked up
 * again instead, just before it is used.
 */
import { close, constants, fstatSync, open, readlinkSync, realpathSync } from 'node:fs';
import { promisify } from 'node:util';
import { RpcError } from '../../errors.ts';
import type { HostErrorCode, HostPlace } from '../../runtime/host-access.ts';

/** The flag O_PATH, for which Node has no name. */
export const O_PATH = 0x200000;
const HAS_PROC = process.platform === 'linux';
/** Flags for opening a thing without any effect, and without following a link at the end. */
export const LOOK_FLAGS = O_PATH | constants.O_NOFOLLOW;

const openDescriptor = promisify(open);
const closeDescriptor = promisify(close);

/** A path to an open descriptor, which leads nowhere else. */
export const pathOfDescriptor = (descriptor: number): string => `/proc/self/fd/${descriptor}`;

/** Whether an open thing stands at the target, without a link in the way. */
export function standsAt(descriptor: number, target: string): boolean {
  // If the target's end is a link, the link itself was opened.
  if (fstatSync(descriptor).isSymbolicLink()) return false;
  return readlinkSync(pathOfDescriptor(descriptor)) === target;
}

/**
 * Calls `use` with a path that leads to the granted thing and to nothing else. Rejects with
 * `Escapes` if the thing is not there any more. Errors of the host are passed on.
 */
export async function atPlace<Result>(
  { target, path }: HostPlace,
  what: string,
  use: (path: string) => Promise<Result>,
): Promise<Result> {
  if (!HAS_PROC) {
    if (realpathSync(target) !== target) throw leadsElsewhere(what, path);
    return use(target);
  }
  const descriptor = await openDescriptor(target, LOOK_FLAGS);
  try {
    if (!standsAt(descriptor, target)) throw leadsElsewhere(what, path);
    return await use(pathOfDescriptor(descriptor));
  } finally {
    await closeDescriptor(descriptor).catch(() => {});
  }
}

function leadsElsewhere(what: string, path: string): RpcError {
  const code: HostErrorCode = 'Escapes';
  return new RpcError(code, `${what} "${path}" leads elsewhere than when the config was checked`);
}

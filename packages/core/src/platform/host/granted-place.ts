/**
 * What a grant leads to was looked up once, when the config was checked: its target is a real path, without links. Whoever can
 * write to a directory on that path may put a link in its way afterwards, to something that only we may open. So whatever is
 * opened must be where the target says: it is opened in a way that does nothing with it, its place is looked at, and only then
 * it is used, by its descriptor. A file that was replaced by another one of its name is still what is granted.
 *
 * Where there is no `/proc` the path is looked up again instead, just before it is used.
 */
import { close, constants, fstatSync, open, readlinkSync, realpathSync } from 'node:fs';
import { promisify } from 'node:util';
import { RpcError } from '../../errors.ts';
import type { HostErrorCode, HostPlace } from '../../runtime/host-access.ts';

/** Node has no name for it. */
export const O_PATH = 0x200000;
const HAS_PROC = process.platform === 'linux';
/** Opens without doing anything, and without following a link at the end. */
export const LOOK_FLAGS = O_PATH | constants.O_NOFOLLOW;

const openDescriptor = promisify(open);
const closeDescriptor = promisify(close);

/** A way to what is open, which leads nowhere else. */
export const pathOfDescriptor = (descriptor: number): string => `/proc/self/fd/${descriptor}`;

/** Whether what is open stands at the target, without a link in the way. */
export function standsAt(descriptor: number, target: string): boolean {
  // A link at the end is opened itself.
  if (fstatSync(descriptor).isSymbolicLink()) return false;
  return readlinkSync(pathOfDescriptor(descriptor)) === target;
}

/**
 * Gives `use` a path that leads to what was granted, and to nothing else. Rejects with `Escapes` if that is not there any more;
 * errors of the host are passed on.
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

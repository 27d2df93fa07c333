/** Sockets of systems that were killed: nobody listens there any more. */
import { linkSync, renameSync, unlinkSync } from 'node:fs';
import { createConnection } from 'node:net';

/** How a socket stands: `live` if somebody listens, `dead` if not, `missing` if it is not there. */
export type SocketStanding = 'live' | 'dead' | 'missing' | 'forbidden';

/** Looks whether somebody listens on a socket. */
export function standingOf(path: string): Promise<SocketStanding> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve('live');
    });
    socket.once('error', (error) => {
      const code: unknown = Reflect.get(error, 'code');
      if (code === 'ENOENT') resolve('missing');
      else if (code === 'ECONNREFUSED' || code === 'ENOTSOCK') resolve('dead');
      // Its queue is full, for instance: somebody is there.
      else resolve(code === 'EACCES' ? 'forbidden' : 'live');
    });
  });
}

/**
 * Removes a socket that nobody listens on. True if the name is free now. Between the look and the
 * removal somebody else may have removed it and put a live one in its place. So it is taken aside
 * first, and what was taken is looked at again.
 */
export async function removeIfDead(path: string): Promise<boolean> {
  const standing = await standingOf(path);
  if (standing !== 'dead') return standing === 'missing';
  const aside = `${path}.${process.pid}-dead`;
  try {
    renameSync(path, aside);
  } catch {
    return true;
  }
  const live = (await standingOf(aside)) === 'live';
  try {
    if (live) linkSync(aside, path);
  } catch {
    // A third one has taken the name meanwhile.
  }
  unlinkSync(aside);
  return !live;
}

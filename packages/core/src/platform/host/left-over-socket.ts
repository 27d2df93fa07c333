/** Removes names of sockets whose listeners have been killed. */
import { lstat, unlink } from 'node:fs/promises';

/**
 * Taken when it is used, because few threads need the module. This file is loaded in every thread,
 * because a jailed one cannot load it later.
 */
const net = (): typeof import('node:net') => process.getBuiltinModule('node:net');

/** Removes the name of a socket that nobody listens on. True if there was one. */
export async function removeLeftOver(path: string): Promise<boolean> {
  if (!(await isLeftOver(path))) return false;
  await unlink(path).catch(() => {});
  return true;
}

async function isLeftOver(path: string): Promise<boolean> {
  const isSocket = await lstat(path).then(
    (stats) => stats.isSocket(),
    () => false,
  );
  if (!isSocket) return false;
  return new Promise((resolve) => {
    const socket = net().createConnection({ path });
    socket.once('connect', () => resolve(false));
    socket.once('error', (error) => resolve(Reflect.get(error, 'code') === 'ECONNREFUSED'));
    socket.once('connect', () => socket.destroy());
  });
}

/**
 * Two connected stream sockets, to be handed to two child processes. Node has no socketpair(2), so
 * this listens on a name that nobody can guess, connects to it, and closes the listener at once. On
 * Linux the name is abstract, so no file can be left behind. Abstract names can be listed, so the
 * processes prove themselves to each other (`Link`).
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

async function withName<T>(use: (name: string) => Promise<T>): Promise<T> {
  if (process.platform === 'linux') return use(`\0ginit-${randomBytes(16).toString('hex')}`);
  const directory = await mkdtemp(join(tmpdir(), 'ginit-'));
  try {
    return await use(join(directory, 'link'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Makes a pair of connected sockets. Nothing is read from either: what a peer writes early stays in
 * the kernel.
 */
export function socketPair(): Promise<[Socket, Socket]> {
  return withName(async (name) => {
    const server = createServer({ pauseOnConnect: true });
    try {
      const accepted = new Promise<Socket>((resolve, reject) => {
        server.on('error', reject);
        server.on('connection', resolve);
      });
      await new Promise<void>((resolve) => server.listen(name, resolve));
      const socket = connect(name);
      socket.pause();
      await new Promise<void>((resolve, reject) => {
        socket.on('error', reject);
        socket.on('connect', resolve);
      });
      return [socket, await accepted];
    } finally {
      server.close();
    }
  });
}

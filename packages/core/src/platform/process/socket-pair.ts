/**
 * Two connected stream sockets, to be handed to two child processes. Node has no socketpair(2): a listener on a
 * name that nobody can guess is connected to by ourselves and closed at once. On Linux the name is abstract, so no
 * file can be left behind; who connects must prove itself with a secret, as such names can be listed.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SECRET_BYTES = 32;

async function withName<T>(use: (name: string) => Promise<T>): Promise<T> {
  if (process.platform === 'linux') return use(`\0ginit-${randomBytes(16).toString('hex')}`);
  const directory = await mkdtemp(join(tmpdir(), 'ginit-'));
  try {
    return await use(join(directory, 'link'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Settles with the first connection that sends the secret; others are dropped. */
function accept(server: Server, secret: Buffer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.on('connection', (socket) => {
      socket.on('error', () => socket.destroy());
      const check = (): void => {
        const proof: unknown = socket.read(SECRET_BYTES);
        if (!(proof instanceof Buffer)) return;
        socket.off('readable', check);
        if (timingSafeEqual(proof, secret)) resolve(socket);
        else socket.destroy();
      };
      socket.on('readable', check);
    });
  });
}

/** Makes a pair of connected sockets, both paused. */
export function socketPair(): Promise<[Socket, Socket]> {
  return withName(async (name) => {
    const secret = randomBytes(SECRET_BYTES);
    const server = createServer();
    const accepted = accept(server, secret);
    try {
      await new Promise<void>((resolve) => server.listen(name, resolve));
      const socket = connect(name);
      socket.pause();
      await new Promise<void>((resolve, reject) => {
        socket.on('error', reject);
        socket.write(secret, () => resolve());
      });
      const other = await accepted;
      other.pause();
      return [socket, other];
    } finally {
      server.close();
    }
  });
}

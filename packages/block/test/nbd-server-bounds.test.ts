/** What `nbd_server` does with clients that are too many, too slow, or there for too long. */
import { RpcError } from '@ginit/core';
import { Block, serveBlock } from '@ginit/core/block';
import type { HostConnection, HostListener } from '@ginit/core/host';
import { runComponent, script } from '@ginit/core/testing';
import { expect, test } from 'vitest';
import { ClientConnection } from '../src/nbd/client/client-connection.ts';
import nbdServer from '../src/nbd_server/main.ts';
import { pipe, type PipeEnd } from './nbd-pipe.ts';

/** A device of which the test says how large it is. */
class Growing {
  blockCount = 8;
  readonly syncs: number[] = [];

  get info(): { blockSize: number; blockCount: number; alignLog2: number; writeable: boolean } {
    return { blockSize: 512, blockCount: this.blockCount, alignLog2: 12, writeable: true };
  }

  read(block: number, _count: number, into: Uint8Array): void {
    into.fill(block + 1);
  }

  write(): void {}
  trim(): void {}
  writeZeroes(): void {}

  sync(): void {
    this.syncs.push(1);
  }

  readonly #handlers: (() => void)[] = [];

  onInfoChanged(handler: () => void): () => void {
    this.#handlers.push(handler);
    return () => {};
  }

  grow(blockCount: number): void {
    this.blockCount = blockCount;
    for (const handler of this.#handlers) handler();
  }
}

/** A listener to which the test connects. */
class Door implements HostListener {
  readonly address = 'door';
  readonly #waiting: PipeEnd[] = [];
  #accept: ((connection: HostConnection) => void) | undefined;
  #refuse: ((error: Error) => void) | undefined;

  connect(): PipeEnd {
    const [client, server] = pipe();
    if (this.#accept) this.#accept(server);
    else this.#waiting.push(server);
    this.#accept = undefined;
    return client;
  }

  accept(): Promise<HostConnection> {
    const waiting = this.#waiting.shift();
    if (waiting) return Promise.resolve(waiting);
    return new Promise((resolve, reject) => {
      this.#accept = resolve;
      this.#refuse = reject;
    });
  }

  async close(): Promise<void> {
    this.#refuse?.(new RpcError('Closed', 'the door is closed'));
  }
}

function unused(): never {
  throw new Error('the server uses sockets only');
}

function start(config: object = {}): {
  run: ReturnType<typeof runComponent>;
  door: Door;
  device: Growing;
} {
  const [door, device] = [new Door(), new Growing()];
  const run = runComponent(nbdServer, {
    config: { listen: 'unix:door', export: { name: 'disk', writeable: true }, ...config },
    services: [script(Block, (session) => serveBlock(session, device))],
    host: {
      grants: [{ kind: 'unix-listen', path: 'door', access: 'rw' }],
      platform: {
        openFile: unused,
        openDirectory: unused,
        openDevice: unused,
        connect: unused,
        run: unused,
        workplace: unused,
        mount: unused,
        listen: async () => door,
      },
    },
  });
  return { run, door, device };
}

const open = async (end: PipeEnd): Promise<ClientConnection> =>
  (await ClientConnection.open(end, { exportName: 'disk' })).client;

test('a client that picks no export is sent away after half a minute; one that has picked one stays', async () => {
  const started = start();
  await using run = await started.run;
  const idle = started.door.connect();
  const client = await open(started.door.connect());
  await idle.read();
  await run.advance(29_000);
  const end = idle.read();
  await run.advance(2000);
  expect(await end).toBeUndefined();
  await client.read(512, new Uint8Array(512));
});

test('more clients than are allowed wait until one leaves', async () => {
  const started = start({ connections: 1 });
  await using run = await started.run;
  const first = await open(started.door.connect());
  const second = open(started.door.connect());
  let served = false;
  void second.then(() => (served = true));
  await run.settle();
  expect(served).toBe(false);
  expect(run.log.join('\n')).toContain('1 clients are connected: further ones wait');
  await first.disconnect();
  await (await second).read(0, new Uint8Array(512));
});

test('a device that grows is larger for those who connect then, and one that shrinks is not read past its end', async () => {
  const started = start();
  await using run = await started.run;
  const before = await ClientConnection.open(started.door.connect(), { exportName: 'disk' });
  expect(before.remote.sizeBytes).toBe(8 * 512);
  started.device.grow(100);
  await run.settle();
  const after = await ClientConnection.open(started.door.connect(), { exportName: 'disk' });
  expect(after.remote.sizeBytes).toBe(100 * 512);
  await after.client.read(99 * 512, new Uint8Array(512));
  await expect(before.client.read(99 * 512, new Uint8Array(512))).rejects.toMatchObject({ code: 'Invalid' });
  started.device.grow(50);
  await run.settle();
  await expect(after.client.read(99 * 512, new Uint8Array(512))).rejects.toMatchObject({ code: 'Invalid' });
});

test('the end of the server syncs what was written', async () => {
  const started = start();
  const run = await started.run;
  const client = await open(started.door.connect());
  await client.write(0, new Uint8Array(512));
  expect(started.device.syncs).toEqual([]);
  const { problems, openSessions } = await run.end();
  expect({ problems, openSessions }).toEqual({ problems: [], openSessions: [] });
  expect(started.device.syncs).toEqual([1]);
  expect((await client.ended).code).toBe('Ended');
});

/**
 * The device over NBD against servers that die, lose what was not flushed, come back changed, or
 * say nothing any more: all in memory, with a clock that the test moves.
 */
import { RpcError } from '@ginit/core';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ServerConnection } from '../src/nbd/server/server-connection.ts';
import { RemoteDisk, type RemoteDiskOptions } from '../src/nbd_block/remote-disk.ts';
import type { LinkClock, LinkOptions } from '../src/nbd_block/remote-link.ts';
import { type ChunkSizes, pipe, type PipeEnd } from './nbd-pipe.ts';
import { RamDevice } from './nbd-ram.ts';
import { codeOf } from './system-client.ts';

const SIZE = 512;
const BLOCKS = 64;

/** A device that loses in a crash what was not flushed. */
class VolatileDevice extends RamDevice {
  readonly stable: Uint8Array;

  constructor(stable: Uint8Array) {
    super(stable.byteLength);
    this.stable = stable;
    this.memory.set(stable);
  }

  override async flush(): Promise<void> {
    const taken = this.memory.slice();
    await super.flush();
    this.stable.set(taken);
  }
}

/** A clock whose pauses last a turn, and whose timeouts come when the test says so. */
class TestClock implements LinkClock {
  readonly timeouts = new Map<() => void, number>();
  readonly periods = new Set<() => void>();

  sleep(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  after(ms: number, handler: () => void): () => void {
    const fire = (): void => handler();
    this.timeouts.set(fire, ms);
    return () => this.timeouts.delete(fire);
  }

  every(_ms: number, handler: () => void): () => void {
    const fire = (): void => handler();
    this.periods.add(fire);
    return () => this.periods.delete(fire);
  }

  /** Lets the timeouts of this length come. */
  expire(ms: number): void {
    const due = [...this.timeouts].filter(([, length]) => length === ms);
    for (const [fire] of due) {
      this.timeouts.delete(fire);
      fire();
    }
  }

  period(): void {
    const due = [...this.periods];
    for (const fire of due) fire();
  }
}

/** A server that can crash and come back. */
class Server {
  device = new VolatileDevice(new Uint8Array(BLOCKS * SIZE));
  readonly clock = new TestClock();
  readonly told: string[] = [];
  readonly #ends = new Set<PipeEnd>();
  up = true;
  connections = 0;

  readonly connect = async (sizes?: ChunkSizes): Promise<PipeEnd> => {
    if (!this.up) throw new RpcError('Unreachable', 'nobody listens');
    const [client, server] = pipe(sizes);
    this.#ends.add(server);
    this.connections++;
    const { device } = this;
    const exports = [{ name: 'disk', description: '', device }];
    void new ServerConnection(server, { exports: () => exports, tls: undefined }).run().catch(() => {});
    return client;
  };

  /** Everything that was not flushed is lost. */
  crash(up = true): void {
    this.up = up;
    this.device = new VolatileDevice(this.device.stable.slice());
    this.cut();
  }

  cut(): void {
    for (const end of this.#ends) void end.close();
    this.#ends.clear();
  }

  open(link: Partial<LinkOptions> = {}, disk: Partial<RemoteDiskOptions> = {}): Promise<RemoteDisk> {
    return RemoteDisk.over(
      {
        connect: () => this.connect(),
        clock: this.clock,
        exportName: 'disk',
        tls: undefined,
        connections: 1,
        reconnectMs: 30_000,
        stallMs: 1000,
        replay: true,
        tell: (text) => this.told.push(text),
        ...link,
      },
      {
        blockSize: undefined,
        writeable: true,
        journalBytes: 1024 * 1024,
        warn: (text) => this.told.push(text),
        ...disk,
      },
    );
  }
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const block = (fill: number): Uint8Array => new Uint8Array(SIZE).fill(fill);

describe('a server that crashes', () => {
  const action = fc.oneof(
    { weight: 12, arbitrary: fc.record({ what: fc.constant('write'), at: fc.nat(BLOCKS - 4) }) },
    { weight: 3, arbitrary: fc.record({ what: fc.constant('read'), at: fc.nat(BLOCKS - 4) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('zero'), at: fc.nat(BLOCKS - 4) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('sync'), at: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('crash'), at: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('cut'), at: fc.constant(0) }) },
    { weight: 4, arbitrary: fc.record({ what: fc.constant('turn'), at: fc.constant(0) }) },
  );

  test.each([1, 3])('loses nothing that was answered, with %i connections', async (connections) => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), fc.boolean(), async (actions, small) => {
        const server = new Server();
        const disk = await server.open({ connections }, { journalBytes: small ? 2048 : 65_536 });
        const model = new Uint8Array(BLOCKS * SIZE);
        const busy = new Map<number, Promise<unknown>>();
        let fill = 0;
        const running: Promise<unknown>[] = [];
        for (const { what, at } of actions) {
          if (what === 'crash') server.crash();
          else if (what === 'cut') server.cut();
          else if (what === 'turn') await turns(1);
          else if (what === 'sync') running.push(disk.sync());
          else {
            // Requests for one block are ordered by their client; others go side by side.
            const mine = [at, at + 1, at + 2];
            const before = Promise.all(mine.map((number) => busy.get(number)));
            const range = model.subarray(at * SIZE, (at + 3) * SIZE);
            const value = what === 'zero' ? 0 : (fill = (fill % 255) + 1);
            const perform = async (): Promise<void> => {
              await before;
              if (what === 'read') {
                const into = new Uint8Array(3 * SIZE).fill(0xee);
                await disk.read(at, 3, into);
                expect(Buffer.compare(into, range)).toBe(0);
                return;
              }
              if (what === 'zero') await disk.writeZeroes(at, 3);
              else await disk.write(at, 3, new Uint8Array(3 * SIZE).fill(value));
              range.fill(value);
            };
            const done = perform();
            for (const number of mine) busy.set(number, done);
            running.push(done);
          }
        }
        await Promise.all(running);
        await disk.sync();
        server.crash();
        expect(Buffer.compare(server.device.memory, model)).toBe(0);
        await disk.close();
      }),
      { numRuns: 60 },
    );
  });

  test('a write that was answered is made again before anybody else is served', async () => {
    const server = new Server();
    const disk = await server.open();
    await disk.write(0, 1, block(1));
    await disk.write(0, 1, block(2));
    server.crash();
    const into = new Uint8Array(SIZE);
    await disk.read(0, 1, into);
    expect(into).toEqual(block(2));
    expect(server.device.log).toEqual(['write 0 512', 'write 0 512', 'read 0 512']);
    await disk.sync();
    server.crash();
    await disk.read(0, 1, into);
    expect(into).toEqual(block(2));
    expect(server.device.log).toEqual(['read 0 512']);
    expect(server.told.filter((line) => line === 'connected again')).toHaveLength(2);
    await disk.close();
  });

  test('what is made again goes side by side, and in its order where it meets', async () => {
    const server = new Server();
    const disk = await server.open();
    for (const value of [1, 2]) for (let at = 0; at < 8; at++) await disk.write(at, 1, block(value));
    server.crash();
    const next = server.device;
    let [underWay, most] = [0, 0];
    next.before = async (what) => {
      most = Math.max(most, ++underWay);
      // What comes first ends last, if nothing keeps the order.
      await turns(next.log.length > 8 || what.startsWith('read') ? 1 : 20);
      underWay--;
    };
    const into = new Uint8Array(8 * SIZE);
    await disk.read(0, 8, into);
    expect(into).toEqual(new Uint8Array(8 * SIZE).fill(2));
    expect(most).toBeGreaterThan(4);
    await disk.close();
  });

  test('with in_flight="fail" those under way fail, and later ones wait', async () => {
    const server = new Server();
    server.device.before = () => new Promise(() => {});
    const disk = await server.open({ replay: false });
    const lost = disk.read(0, 1, new Uint8Array(SIZE));
    await turns(3);
    server.crash();
    expect(await codeOf(lost)).toBe('Gone');
    expect(await codeOf(disk.read(0, 1, new Uint8Array(SIZE)))).toBe('succeeded');
    await disk.close();
  });

  test('requests wait for it so long, then fail, and work again when it is there', async () => {
    const server = new Server();
    const disk = await server.open();
    await disk.write(0, 1, block(5));
    server.crash(false);
    const waiting = [disk.read(0, 1, new Uint8Array(SIZE)), disk.sync(), disk.write(1, 1, block(6))];
    await turns(10);
    server.clock.expire(30_000);
    for (const one of waiting) expect(await codeOf(one)).toBe('Gone');
    expect(await codeOf(disk.sync())).toBe('Gone');
    server.up = true;
    await expect.poll(() => server.told.at(-1)).toBe('connected again');
    const into = new Uint8Array(SIZE);
    await disk.read(0, 1, into);
    expect(into).toEqual(block(5));
    await disk.close();
  });

  test('the end of the device ends what waits for it', async () => {
    const server = new Server();
    const disk = await server.open();
    server.crash(false);
    await turns(3);
    const waiting = disk.read(0, 1, new Uint8Array(SIZE));
    await disk.close();
    expect(await codeOf(waiting)).toBe('Gone');
    expect(await codeOf(disk.read(0, 1, new Uint8Array(SIZE)))).toBe('Gone');
  });
});

describe('a server that is not what it was', () => {
  test('says nothing any more: it is given up, and the next one is asked', async () => {
    const server = new Server();
    const disk = await server.open();
    server.device.before = () => new Promise(() => {});
    const read = disk.read(0, 1, new Uint8Array(SIZE));
    await turns(3);
    server.device = new VolatileDevice(server.device.stable);
    server.clock.period();
    server.clock.period();
    expect(await codeOf(read)).toBe('succeeded');
    expect(server.told).toContain('connection lost, trying again: the server answers nothing');
    await disk.close();
  });

  test('sends a long answer slowly: as long as anything comes it is not given up', async () => {
    const server = new Server();
    const gates: (() => void)[] = [];
    let slow = false;
    const disk = await server.open({
      connect: async () => {
        const end = await server.connect([100]);
        const read = end.read.bind(end);
        end.read = async () => {
          const bytes = await read();
          if (slow && bytes) await new Promise<void>((resolve) => gates.push(resolve));
          return bytes;
        };
        return end;
      },
    });
    slow = true;
    server.device.memory.fill(3);
    const into = new Uint8Array(4 * SIZE);
    const reading = disk.read(0, 4, into);
    // The answer comes in 21 pieces of 100 bytes.
    for (let left = 21; left > 0; left--) {
      await turns(2);
      server.clock.period();
      gates.shift()?.();
    }
    slow = false;
    await reading;
    expect(into).toEqual(new Uint8Array(4 * SIZE).fill(3));
    expect(server.told).toEqual([]);
    await disk.close();
  });

  test('is smaller: it is not used, whatever happens; larger: clients are told', async () => {
    const server = new Server();
    const disk = await server.open();
    const changes: number[] = [];
    disk.onInfoChanged(() => changes.push(disk.info.blockCount));
    server.device = new VolatileDevice(new Uint8Array(8 * SIZE));
    server.cut();
    const read = disk.read(0, 1, new Uint8Array(SIZE));
    await turns(20);
    server.clock.expire(30_000);
    expect(await codeOf(read)).toBe('Gone');
    expect(server.told.join('\n')).toContain('the export has 4096 bytes now');
    server.device = new VolatileDevice(new Uint8Array(100 * SIZE));
    await expect.poll(() => changes).toEqual([100]);
    await disk.read(99, 1, new Uint8Array(SIZE));
    await disk.close();
  });

  test('a FLUSH that failed is not followed by one that lies', async () => {
    const server = new Server();
    const disk = await server.open();
    await disk.write(3, 1, block(7));
    server.device.before = (what) => {
      if (what !== 'flush') return;
      // The host drops what it could not write.
      server.device = new VolatileDevice(server.device.stable);
      throw new RpcError('InputOutput', 'the disk is ill');
    };
    expect(await codeOf(disk.sync())).toBe('InputOutput');
    expect(await codeOf(disk.sync())).toBe('succeeded');
    expect(server.device.stable[3 * SIZE]).toBe(7);
    await disk.close();
  });

  test('answers errors by name', async () => {
    const server = new Server();
    const disk = await server.open();
    server.device.before = (what) => {
      throw new RpcError(what.startsWith('write') ? 'NoSpace' : 'InputOutput', 'no');
    };
    expect(await codeOf(disk.write(0, 1, block(1)))).toBe('NoSpace');
    expect(await codeOf(disk.read(0, 1, new Uint8Array(SIZE)))).toBe('InputOutput');
    server.device.before = () => {};
    await disk.close();
  });
});

describe('the memory for writes that are not synced', () => {
  test('is bounded: the driver asks for a FLUSH itself', async () => {
    const server = new Server();
    const disk = await server.open({}, { journalBytes: 8 * 1024 });
    for (let count = 0; count < 200; count++) await disk.write(count % BLOCKS, 1, block(count % 251));
    const flushes = server.device.log.filter((line) => line === 'flush').length;
    expect(flushes).toBeGreaterThan(10);
    expect(flushes).toBeLessThan(60);
    await disk.close();
  });
});

test('the start waits for a server that is not there yet, and not for one that refuses', async () => {
  const server = new Server();
  server.up = false;
  const opening = server.open();
  await turns(5);
  server.up = true;
  const disk = await opening;
  expect(server.told).toEqual(['no connection yet, trying again: nobody listens']);
  await disk.close();
  expect(await codeOf(server.open({ exportName: 'nothing' }))).toBe('Refused');
  server.up = false;
  expect(await codeOf(server.open({ reconnectMs: 1000 }))).toBe('Unreachable');
});

test('an export whose size is no multiple of a block loses its end, with a warning', async () => {
  const server = new Server();
  server.device = new VolatileDevice(new Uint8Array(1000));
  const disk = await server.open();
  expect(disk.info).toEqual({ blockSize: 512, blockCount: 1, alignLog2: 12, writeable: true });
  expect(server.told).toEqual([
    'the export has 1000 bytes: the last 488 are no whole block of 512 and left out',
  ]);
  await disk.close();
});

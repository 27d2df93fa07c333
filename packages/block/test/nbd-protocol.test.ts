/**
 * Both sides of NBD against each other over connections in memory, in every order of answers and in
 * chunks of every size.
 */
import { RpcError } from '@ginit/core';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClientConnection } from '../src/nbd/client/client-connection.ts';
import { ServerConnection } from '../src/nbd/server/server-connection.ts';
import { pipe } from './nbd-pipe.ts';
import { RamDevice } from './nbd-ram.ts';
import { codeOf } from './system-client.ts';
import { serve, TLS_CLIENT, TLS_SERVER } from './nbd-served.ts';

describe('both sides', () => {
  test('carry out any requests in any order of answers, in chunks of any size', async () => {
    const request = fc.record({
      what: fc.constantFrom('read', 'write', 'zero', 'trim', 'flush'),
      position: fc.nat(60_000),
      bytes: fc.integer({ min: 1, max: 5000 }),
      fill: fc.integer({ min: 0, max: 255 }),
      late: fc.nat(6),
    });
    const sizes = fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 60 }), sizes, async (requests, chunkSizes) => {
        const device = new RamDevice(65_536);
        const model = new Uint8Array(65_536);
        let turn = 0;
        device.before = async () => {
          for (let late = requests[turn++ % requests.length]?.late ?? 0; late > 0; late--)
            await Promise.resolve();
        };
        const { client: end, served } = serve(device, chunkSizes);
        const { client, remote } = await ClientConnection.open(end, { exportName: 'disk' });
        expect(remote).toMatchObject({ sizeBytes: 65_536, structured: true, minimumBytes: 512 });
        // Requests that overlap are not ordered: each waits for those before it that it meets.
        const running: { from: number; to: number; done: Promise<unknown> }[] = [];
        for (const { what, position, bytes, fill } of requests) {
          const range = { from: position, to: position + bytes };
          const met = running.filter(({ from, to }) => from < range.to && range.from < to);
          const before = Promise.all(met.map(({ done }) => done));
          const part = (): Uint8Array => model.subarray(range.from, range.to);
          const perform = async (): Promise<void> => {
            await before;
            if (what === 'write') {
              part().fill(fill);
              await client.write(position, new Uint8Array(bytes).fill(fill), fill % 2 === 0);
            } else if (what === 'zero') {
              part().fill(0);
              await client.writeZeroes(position, bytes);
            } else if (what === 'trim') await client.trim(position, bytes);
            else if (what === 'flush') await client.flush();
            else {
              const into = new Uint8Array(bytes).fill(0xee);
              await client.read(position, into);
              expect(Buffer.compare(into, part())).toBe(0);
            }
          };
          running.push({ ...range, done: perform() });
        }
        await Promise.all(running.map(({ done }) => done));
        expect(Buffer.compare(device.memory, model)).toBe(0);
        await client.disconnect();
        expect(await served).toBe('left');
      }),
      { numRuns: 60 },
    );
  });

  test('a reply of zeros travels as a hole', async () => {
    const device = new RamDevice(1024 * 1024);
    const [client, server] = pipe();
    const connection = new ServerConnection(server, {
      exports: () => [{ name: '', description: '', device }],
      tls: undefined,
    });
    const served = connection.run();
    const { client: requests } = await ClientConnection.open(client, { exportName: '' });
    const into = new Uint8Array(1024 * 1024).fill(7);
    await requests.read(0, into);
    expect(into.every((byte) => byte === 0)).toBe(true);
    expect(server.written).toBeLessThan(1000);
    device.memory[700_000] = 9;
    await requests.read(0, into);
    expect(into[700_000]).toBe(9);
    expect(server.written).toBeGreaterThan(1024 * 1024);
    await requests.disconnect();
    await served;
  });

  test('answers may come in the opposite order of the requests', async () => {
    const device = new RamDevice(64 * 512);
    const waiting: (() => void)[] = [];
    device.before = () => new Promise<void>((resolve) => void waiting.push(resolve));
    const { client: end } = serve(device);
    const { client } = await ClientConnection.open(end, { exportName: 'disk' });
    const order: number[] = [];
    const reads = Array.from({ length: 64 }, (_, index) =>
      client.read(index * 512, new Uint8Array(512)).then(() => order.push(index)),
    );
    await expect.poll(() => waiting.length).toBe(64);
    for (const answer of waiting.toReversed()) {
      answer();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(reads);
    expect(order).toEqual(Array.from({ length: 64 }, (_, index) => 63 - index));
    await client.disconnect();
  });

  test('each error of the device has its number, and the text of a failed read arrives', async () => {
    const device = new RamDevice(4096);
    const { client: end } = serve(device);
    const { client } = await ClientConnection.open(end, { exportName: 'disk' });
    const codes = {
      InputOutput: 'InputOutput',
      NoSpace: 'NoSpace',
      ReadOnly: 'ReadOnly',
      Gone: 'InputOutput',
    };
    for (const [code, expected] of Object.entries(codes)) {
      device.before = () => {
        throw new RpcError(code, `no ${code}`);
      };
      expect(await codeOf(client.write(0, new Uint8Array(512)))).toBe(expected);
      await expect(client.read(0, new Uint8Array(512))).rejects.toThrow(`no ${code}`);
      expect(await codeOf(client.flush())).toBe(expected);
    }
    device.before = () => {};
    expect(await codeOf(client.write(4096 - 511, new Uint8Array(512)))).toBe('NoSpace');
    expect(await codeOf(client.read(2 ** 52, new Uint8Array(512)))).toBe('Invalid');
    expect(device.log.some((line) => line.includes('3585'))).toBe(false);
    device.writeable = false;
    expect(await codeOf(client.writeZeroes(0, 512))).toBe('ReadOnly');
    await client.disconnect();
  });

  test('FUA is a write and a flush before the answer', async () => {
    const device = new RamDevice(4096);
    const { client: end } = serve(device);
    const { client } = await ClientConnection.open(end, { exportName: 'disk' });
    await client.write(0, new Uint8Array(512), true);
    expect(device.log).toEqual(['write 0 512', 'flush']);
    await client.disconnect();
  });

  test('TLS comes first: before it nothing is said, and it is begun once', async () => {
    const open = (tls: boolean, wanted: boolean): Promise<string> => {
      const rules = tls ? { tls: TLS_SERVER } : {};
      const { client } = serve(new RamDevice(4096), undefined, rules);
      const opened = ClientConnection.open(client, {
        exportName: 'disk',
        ...(wanted ? { tls: TLS_CLIENT } : {}),
      });
      return opened.then(
        () => (client.secured ? 'secured' : 'open'),
        (error: unknown) => String(error),
      );
    };
    expect(await open(true, true)).toBe('secured');
    expect(await open(false, false)).toBe('open');
    expect(await open(true, false)).toContain('it speaks TLS only');
    expect(await open(false, true)).toContain('the server refuses TLS: not allowed');
  });

  test('the end of a connection ends every request, and no read is written to afterwards', async () => {
    const device = new RamDevice(4096);
    device.before = () => new Promise(() => {});
    const { client: end } = serve(device);
    const { client } = await ClientConnection.open(end, { exportName: 'disk' });
    const all = [client.read(0, new Uint8Array(512)), client.write(0, new Uint8Array(512)), client.flush()];
    await new Promise((resolve) => setImmediate(resolve));
    await end.close();
    for (const one of all) expect(await codeOf(one)).toBe('Ended');
    expect(await codeOf(client.flush())).toBe('Ended');
    expect((await client.ended).code).toBe('Ended');
  });
});

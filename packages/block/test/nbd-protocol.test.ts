/**
 * Both sides of NBD against each other over connections in memory, in every order of answers and in
 * chunks of every size; then each of them against a peer that lies.
 */
import { RpcError } from '@ginit/core';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClientConnection } from '../src/nbd/client/client-connection.ts';
import { FieldWriter } from '../src/nbd/fields.ts';
import {
  CHUNK,
  CHUNK_DONE,
  CHUNK_MAGIC,
  COMMAND,
  GREETING_MAGIC,
  INFO,
  NBD_LIMITS,
  OPTION,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_MAGIC,
  REQUEST_MAGIC,
  SIMPLE_REPLY_MAGIC,
} from '../src/nbd/protocol.ts';
import { ServerConnection, type ServerRules } from '../src/nbd/server/server-connection.ts';
import { type ChunkSizes, pipe, type PipeEnd } from './nbd-pipe.ts';
import { RamDevice } from './nbd-ram.ts';
import { codeOf } from './system-client.ts';

const TLS_SERVER = { role: 'server', certificate: 'c', key: 'k' } as const;
const TLS_CLIENT = { role: 'client', serverName: 'test' } as const;

interface Served {
  readonly device: RamDevice;
  readonly client: PipeEnd;
  readonly served: Promise<string>;
}

/** A server of one export `disk`, and the client's end of a connection to it. */
function serve(device: RamDevice, sizes?: ChunkSizes, rules: Partial<ServerRules> = {}): Served {
  const [client, server] = pipe(sizes);
  const exports = [{ name: 'disk', description: 'a test', device }];
  const connection = new ServerConnection(server, { exports: () => exports, tls: undefined, ...rules });
  const served = connection.run().then(() => 'left', reasonOf);
  return { device, client, served };
}

/** The words of an error; another one than an `RpcError` is a bug of ours, and says so. */
function reasonOf(error: unknown): string {
  return error instanceof RpcError ? error.message : `a bug: ${String(error)}`;
}

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

/** A client of a test, which says what it likes. */
class RawClient {
  readonly end: PipeEnd;
  readonly served: Promise<string>;
  readonly device: RamDevice;

  constructor(rules: Partial<ServerRules> = {}) {
    const { client, served, device } = serve(new RamDevice(65_536), undefined, rules);
    [this.end, this.served, this.device] = [client, served, device];
  }

  say(fields: FieldWriter): Promise<void> {
    return this.end.write(fields.done());
  }

  option(option: number, data: Uint8Array = new Uint8Array(0)): Promise<void> {
    return this.say(new FieldWriter().u64(OPTION_MAGIC).u32(option).u32(data.byteLength).bytes(data));
  }

  request(command: number, position: number, bytes: number, flags = 0): Promise<void> {
    const head = new FieldWriter().u32(REQUEST_MAGIC).u16(flags).u16(command).u64(5);
    return this.say(head.u64(position).u32(bytes));
  }

  /** Everything that the server has said when it has nothing more to say. */
  async heard(): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for (let part = await this.end.read(); part; part = await this.end.read()) parts.push(part);
    return Buffer.concat(parts);
  }
}

const goOf = (name: string): Uint8Array => new FieldWriter().countedText(name).u16(0).done();

describe('a server whose client lies', () => {
  test.each<[string, (client: RawClient) => Promise<void>, string]>([
    ['flags that do not exist', (client) => client.say(new FieldWriter().u32(0x80)), 'unknown flags'],
    [
      'an option without its magic number',
      (client) => client.say(new FieldWriter().u32(3).u64(1).u64(2)),
      'an option has no magic number',
    ],
    [
      'an option of 4 GiB',
      (client) => client.say(new FieldWriter().u32(3).u64(OPTION_MAGIC).u32(3).u32(0xffff_ffff)),
      'an option has 4294967295 bytes',
    ],
    [
      'options without end',
      async (client) => {
        await client.say(new FieldWriter().u32(3));
        for (let count = 0; count <= NBD_LIMITS.options; count++) await client.option(99);
      },
      'options and options',
    ],
    [
      'an export that does not exist, in the old way',
      async (client) => {
        await client.say(new FieldWriter().u32(3));
        await client.option(OPTION.exportName, new TextEncoder().encode('nothing'));
      },
      'no export of that name',
    ],
    [
      'a request without its magic number',
      async (client) => {
        await client.say(new FieldWriter().u32(3));
        await client.option(OPTION.go, goOf('disk'));
        await client.end.write(new Uint8Array(28));
      },
      'a request has no magic number',
    ],
    [
      'a write of 4 GiB',
      async (client) => {
        await client.say(new FieldWriter().u32(3));
        await client.option(OPTION.go, goOf('disk'));
        await client.request(COMMAND.write, 0, 0xffff_ffff);
      },
      'is too large',
    ],
    [
      'bytes in front of TLS',
      async (client) => {
        const both = new FieldWriter().u32(3).u64(OPTION_MAGIC).u32(OPTION.startTls).u32(0);
        await client.say(both.u64(OPTION_MAGIC).u32(OPTION.list).u32(0));
      },
      'sends before TLS has begun',
    ],
  ])('ends the connection for %s', async (_, act, reason) => {
    const client = new RawClient(reason.includes('TLS') ? { tls: TLS_SERVER } : {});
    await act(client);
    expect(await client.served).toContain(reason);
  });

  test('refuses malformed options, and goes on with the next one', async () => {
    const client = new RawClient();
    await client.say(new FieldWriter().u32(3));
    const wrong: [number, Uint8Array][] = [
      [OPTION.list, new Uint8Array(1)],
      [OPTION.structuredReply, new Uint8Array(4)],
      [OPTION.go, new FieldWriter().u32(1000).text('disk').u16(0).done()],
      [OPTION.go, new FieldWriter().countedText('disk').u16(9000).done()],
      [OPTION.setMetaContext, new FieldWriter().countedText('disk').u32(0xffff_ffff).done()],
      [OPTION.info, new Uint8Array(0)],
    ];
    for (const [option, data] of wrong) await client.option(option, data);
    await client.option(OPTION.go, goOf('nothing'));
    await client.option(11);
    await client.option(OPTION.abort);
    expect(await client.served).toBe('left');
    const heard = await client.heard();
    const types: number[] = [];
    for (let at = 18; at < heard.byteLength; at += 20 + heard.readUInt32BE(at + 16)) {
      expect(heard.readBigUInt64BE(at)).toBe(OPTION_REPLY_MAGIC);
      types.push(heard.readUInt32BE(at + 12));
    }
    expect(types).toEqual([
      ...wrong.map(() => OPTION_REPLY.invalid),
      OPTION_REPLY.unknown,
      OPTION_REPLY.unsupported,
      OPTION_REPLY.ack,
    ]);
  });

  test('refuses impossible requests one by one, and the device sees none of them', async () => {
    const client = new RawClient();
    await client.say(new FieldWriter().u32(3));
    await client.option(OPTION.go, goOf('disk'));
    for (const [command, position, bytes, flags] of [
      [COMMAND.read, 65_536, 1, 0],
      [COMMAND.read, 2 ** 60, 1, 0],
      [COMMAND.read, 0, 0xffff_ffff, 0],
      [COMMAND.trim, 1, 65_536, 0],
      [COMMAND.blockStatus, 0, 512, 0],
      [COMMAND.cache, 0, 512, 0],
      [77, 0, 512, 0],
      [COMMAND.read, 0, 512, 0x8000],
    ] as const)
      await client.request(command, position, bytes, flags);
    await client.request(COMMAND.disconnect, 0, 0);
    expect(await client.served).toBe('left');
    const heard = await client.heard();
    const errors = Array.from({ length: 8 }, (_, index) => {
      const at = heard.byteLength - 16 * (8 - index);
      expect(heard.readUInt32BE(at)).toBe(SIMPLE_REPLY_MAGIC);
      return heard.readUInt32BE(at + 4);
    });
    expect(errors).toEqual(Array.from({ length: 8 }, () => 22));
    expect(client.device.log).toEqual([]);
  });

  test('survives any bytes, and any content of options and requests', async () => {
    const option = fc
      .tuple(fc.nat(12), fc.uint8Array({ maxLength: 60 }))
      .map(([number, data]) =>
        new FieldWriter().u64(OPTION_MAGIC).u32(number).u32(data.byteLength).bytes(data).done(),
      );
    const request = fc
      .tuple(fc.nat(0xffff), fc.nat(8), fc.maxSafeNat(), fc.oneof(fc.nat(100_000), fc.nat(0xffff_ffff)))
      .map(([flags, command, position, bytes]) =>
        new FieldWriter().u32(REQUEST_MAGIC).u16(flags).u16(command).u64(5).u64(position).u32(bytes).done(),
      );
    const parts = fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), option, request), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(parts, fc.boolean(), async (says, transmits) => {
        const client = new RawClient();
        await client.say(new FieldWriter().u32(3));
        if (transmits) await client.option(OPTION.go, goOf('disk'));
        await client.end.write(Buffer.concat(says));
        await client.end.end();
        expect(await client.served).not.toMatch(/^a bug/);
      }),
      { numRuns: 300 },
    );
  });

  test('takes no more requests than it may have under way', async () => {
    const client = new RawClient();
    client.device.before = () => new Promise(() => {});
    await client.say(new FieldWriter().u32(3));
    await client.option(OPTION.go, goOf('disk'));
    for (let count = 0; count < 1000; count++) await client.request(COMMAND.read, 0, 512);
    await expect.poll(() => client.device.log.length).toBe(256);
    await new Promise((resolve) => setImmediate(resolve));
    expect(client.device.log.length).toBe(256);
  });
});

/** A server of a test, which says what it likes. */
async function lyingServer(answer: (end: PipeEnd) => Promise<void>): Promise<string> {
  const [near, far] = pipe();
  const script = async (): Promise<void> => {
    const heard = listen(far);
    await far.write(new FieldWriter().u64(GREETING_MAGIC).u64(OPTION_MAGIC).u16(3).done());
    await heard(4 + 16);
    await far.write(reply(OPTION.structuredReply, OPTION_REPLY.ack));
    await heard(16 + 4 + 4 + 2 + 2);
    const info = new FieldWriter().u16(INFO.export).u64(65_536).u16(1).done();
    await far.write(reply(OPTION.go, OPTION_REPLY.info, info));
    await far.write(reply(OPTION.go, OPTION_REPLY.ack));
    await heard(28);
    await answer(far);
  };
  void script().catch(() => {});
  try {
    const { client } = await ClientConnection.open(near, { exportName: 'disk' });
    await client.read(4096, new Uint8Array(8192));
    return 'done';
  } catch (error) {
    return reasonOf(error);
  }
}

/** Waits for so many bytes more. */
function listen(end: PipeEnd): (bytes: number) => Promise<void> {
  let held = 0;
  return async (bytes) => {
    while (held < bytes) held += (await end.read())?.byteLength ?? Infinity;
    held -= bytes;
  };
}

function reply(option: number, type: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const header = new FieldWriter().u64(OPTION_REPLY_MAGIC).u32(option).u32(type);
  return header.u32(data.byteLength).bytes(data).done();
}

function chunk(type: number, data: Uint8Array, flags = 0, cookie = 1): Uint8Array {
  const header = new FieldWriter().u32(CHUNK_MAGIC).u16(flags).u16(type).u64(cookie);
  return header.u32(data.byteLength).bytes(data).done();
}

const piece = (position: number | bigint, bytes: number): Uint8Array =>
  new FieldWriter().u64(position).bytes(new Uint8Array(bytes)).done();
const hole = (position: number, bytes: number): Uint8Array =>
  new FieldWriter().u64(position).u32(bytes).done();

describe('a client whose server lies', () => {
  test.each([
    ['many replies', 65, 8, 'the replies to an option do not end'],
    ['large replies', 3, 40_000, 'the replies to an option have 80000 bytes'],
  ])('holds no more than a few pieces of information, and not %s', async (_, count, bytes, reason) => {
    const [near, far] = pipe();
    const opening = ClientConnection.open(near, { exportName: 'disk' });
    await far.write(new FieldWriter().u64(GREETING_MAGIC).u64(OPTION_MAGIC).u16(3).done());
    await far.write(reply(OPTION.structuredReply, OPTION_REPLY.ack));
    for (let left = count; left > 0; left--) {
      await far.write(reply(OPTION.go, OPTION_REPLY.info, new Uint8Array(bytes).fill(9)));
    }
    await far.write(reply(OPTION.go, OPTION_REPLY.ack));
    await expect(opening).rejects.toThrow(reason);
  });

  test.each<[string, Uint8Array[], string]>([
    ['no magic number', [new Uint8Array(16)], 'a reply has no magic number'],
    [
      'an answer to nobody',
      [chunk(CHUNK.none, new Uint8Array(0), CHUNK_DONE, 9)],
      'answers a request that nobody has made',
    ],
    [
      'a cookie beyond 32 bits',
      [chunk(CHUNK.none, new Uint8Array(0), CHUNK_DONE, 2 ** 32 + 1)],
      'answers a request that nobody has made',
    ],
    ['a piece behind the read', [chunk(CHUNK.data, piece(4096 + 8192, 1))], 'is not in a read'],
    ['a piece before the read', [chunk(CHUNK.data, piece(4095, 2))], 'is not in a read'],
    ['a piece far away', [chunk(CHUNK.data, piece(2n ** 64n - 1n, 1))], 'is not in a read'],
    ['an empty piece', [chunk(CHUNK.data, piece(4096, 0))], 'a piece of a read has 8 bytes'],
    [
      'a piece twice',
      [chunk(CHUNK.data, piece(4096, 512)), chunk(CHUNK.data, piece(4096 + 511, 512))],
      'twice',
    ],
    ['a hole that is too long', [chunk(CHUNK.hole, hole(4096, 0xffff_ffff))], 'is not in a read'],
    [
      'an end before all has come',
      [chunk(CHUNK.data, piece(4096, 8191)), chunk(CHUNK.none, new Uint8Array(0), CHUNK_DONE)],
      'before all of it has come',
    ],
    ['a status for a read', [chunk(CHUNK.blockStatus, new Uint8Array(12))], 'does not answer the request'],
    [
      'an error without its text',
      [chunk(CHUNK.error, new FieldWriter().u32(5).u16(100).done())],
      'the text of an error is not there',
    ],
    [
      'a simple answer to a read',
      [new FieldWriter().u32(SIMPLE_REPLY_MAGIC).u32(0).u64(1).done()],
      'without structure',
    ],
  ])('ends the connection for %s', async (_, says, reason) => {
    const outcome = lyingServer(async (end) => {
      for (const part of says) await end.write(part);
    });
    expect(await outcome).toContain(reason);
  });

  test('takes pieces in any order, each once', async () => {
    const outcome = lyingServer(async (end) => {
      for (const at of [3, 0, 2, 1]) await end.write(chunk(CHUNK.data, piece(4096 + at * 2048, 2048)));
      await end.write(chunk(CHUNK.none, new Uint8Array(0), CHUNK_DONE));
    });
    expect(await outcome).toBe('done');
  });

  test('survives any bytes, and any content of chunks', async () => {
    const types = [...Object.values(CHUNK), 77];
    const any = fc
      .tuple(fc.constantFrom(...types), fc.uint8Array({ maxLength: 40 }), fc.nat(3))
      .map(([type, data, flags]) => chunk(type, data, flags));
    const parts = fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), any), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(parts, async (says) => {
        const outcome = lyingServer(async (end) => {
          await end.write(Buffer.concat(says));
          await end.end();
        });
        expect(await outcome).not.toMatch(/^(done$|a bug)/);
      }),
      { numRuns: 200 },
    );
  });
});

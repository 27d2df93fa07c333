/** A server of NBD whose client lies. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FieldWriter } from '../src/nbd/fields.ts';
import {
  COMMAND,
  NBD_LIMITS,
  OPTION,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_MAGIC,
  REQUEST_MAGIC,
  SIMPLE_REPLY_MAGIC,
} from '../src/nbd/protocol.ts';
import type { ServerRules } from '../src/nbd/server/server-connection.ts';
import type { PipeEnd } from './nbd-pipe.ts';
import { RamDevice } from './nbd-ram.ts';
import { serve, TLS_SERVER } from './nbd-served.ts';

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

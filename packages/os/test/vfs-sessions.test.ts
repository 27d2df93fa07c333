/** vfs over other servers: their deaths, block devices by bytes, and terminals that have nothing. */
import { type Component, component, type Env, RpcError } from '@ginit/core';
import { FileSystemClient } from '@ginit/core/file_system';
import { TerminalClient } from '@ginit/core/terminal';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import ramBlock from '../../block/src/ram_block/main.ts';
import { type Laboratory, laboratory } from '../../../test/harness/laboratory.ts';
import { propertyRuns } from '../../../test/property-runs.ts';
import ramFs from '../src/ram_fs/main.ts';
import terminalCrosslink from '../src/terminal_crosslink/main.ts';
import vfs from '../src/vfs/main.ts';

const textOf = (content: Uint8Array): string => new TextDecoder().decode(content);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = async (fs: FileSystemClient, path: string): Promise<string> =>
  textOf(await fs.readFile(path, 100_000));
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
  );

const files = (version: number): string =>
  `<start name="files" version="${version}" ram="8M"> <binary name="ram_fs"/>
    <provides> <service name="File_system"/> </provides>
    <config> <content> <dir name="d"> <inline name="f">${version}</inline> </dir> </content>
      <default-policy writeable="yes"/> </config> </start>`;

const vfsOf = (tree: string): string =>
  `<start name="vfs" ram="8M" caps="300" reattach="yes"> <binary name="vfs"/>
    <provides> <service name="File_system"/> </provides>
    <config> <vfs> ${tree} </vfs> <default-policy writeable="yes"/> </config>
    <route> <service name="File_system"> <child name="files"/> </service>
      <any-service> <any-child/> <parent/> </any-service> </route> </start>
  <start name="user" caps="300" ram="8M"> <binary name="user"/>
    <route> <service name="File_system"> <child name="vfs"/> </service>
      <any-service> <any-child/> <parent/> </any-service> </route> </start>`;

let outsider: Env | undefined;

/** Runs a script with the environment of a component that has vfs for its file system. */
async function withUser(
  starts: string,
  script: (user: Env, it: Laboratory) => Promise<void>,
  others: Readonly<Record<string, Component>> = {},
): Promise<void> {
  let user: Env | undefined;
  const components = {
    user: component({}, (env) => {
      user = env;
    }),
    vfs,
    ram_fs: ramFs,
    ...others,
  };
  await laboratory(components, async (it) => {
    await it.apply(starts);
    await it.until(() => user !== undefined);
    if (user) await script(user, it);
  });
}

describe('a server behind <fs>', () => {
  test('that is started again: what is open goes on where the new one has the same file', () =>
    withUser(files(1) + vfsOf('<fs root="/d"/> <ram/>'), async (user, it) => {
      const fs = await FileSystemClient.connect(user);
      const file = await fs.open('/f', { mode: 'read-write' });
      const gone = await fs.open('/gone', { mode: 'read-write', create: 'new' });
      const into = new Uint8Array(10);
      expect([await file.read(0, into), textOf(into.subarray(0, 1))]).toEqual([1, '1']);
      await it.apply(files(2) + vfsOf('<fs root="/d"/> <ram/>'));
      await it.until(async () => (await read(fs, '/f').catch(() => '')) === '2');
      expect([await file.read(0, into), textOf(into.subarray(0, 1))]).toEqual([1, '2']);
      expect(await codeOf(gone.read(0, into))).toBe('Unavailable');
      await gone.close();
      await file.write(0, bytesOf('3'));
      expect(await read(fs, '/f')).toBe('3');
      await it.conserved();
    }));

  test('that is gone: errors, in its part only; all works when it is back', () =>
    withUser(
      files(1) + vfsOf('<dir name="m"><ram/></dir> <dir name="o"><fs root="/d"/></dir>'),
      async (user, it) => {
        const fs = await FileSystemClient.connect(user);
        const file = await fs.open('/o/f');
        const rest = vfsOf('<dir name="m"><ram/></dir> <dir name="o"><fs root="/d"/></dir>');
        await it.apply(rest);
        await it.until(async () => (await codeOf(fs.readFile('/o/f', 10))) !== 'succeeded');
        expect(await codeOf(fs.readFile('/o/f', 10))).toBe('Input_output');
        expect(await codeOf(file.read(0, new Uint8Array(1)))).toBe('Input_output');
        expect(await codeOf(fs.writeFile('/o/new', new Uint8Array(1)))).toBe('Input_output');
        expect(await codeOf(fs.sync())).toBe('Input_output');
        await fs.writeFile('/m/works', bytesOf('yes'));
        expect(await read(fs, '/m/works')).toBe('yes');
        const names: string[] = [];
        for await (const { name } of fs.readdir('/')) names.push(name);
        expect(names).toEqual(['m', 'o']);
        await it.apply(files(5) + rest);
        await it.until(async () => (await read(fs, '/o/f').catch(() => '')) === '5');
        await fs.sync();
        await it.conserved();
      },
    ));

  test('tells of the changes that others make there', () =>
    withUser(
      files(1) +
        vfsOf('<fs root="/d"/>') +
        `<start name="other"> <binary name="other"/>
          <route> <service name="File_system"> <child name="files"/> </service>
            <any-service> <parent/> </any-service> </route> </start>`,
      async (user, it) => {
        const fs = await FileSystemClient.connect(user);
        let told = 0;
        await fs.watch('/f', () => told++);
        await it.until(() => outsider !== undefined);
        if (!outsider) return;
        const there = await FileSystemClient.connect(outsider);
        await there.withFile('/d/f', { mode: 'write-only' }, (file) => file.write(0, bytesOf('x')));
        await it.until(() => told >= 2);
        expect(await read(fs, '/f')).toBe('x');
      },
      {
        other: component({}, (env) => {
          outsider = env;
        }),
      },
    ));
});

describe('a block device', () => {
  const BYTES = 16_384;
  test('is read and written by any bytes, and keeps its size', () =>
    withUser(
      `<start name="disk"> <binary name="ram_block"/> <provides> <service name="Block"/> </provides>
        <config size="16K" block_size="512"/> </start>${vfsOf('<block name="d" label="disk"/>')}`,
      async (user) => {
        const fs = await FileSystemClient.connect(user);
        expect(await fs.stat('/d')).toMatchObject({ type: 'file', sizeBytes: BYTES, unsized: false });
        const model = new Uint8Array(BYTES);
        const file = await fs.open('/d', { mode: 'read-write' });
        const piece = fc.record({
          at: fc.nat(BYTES - 1),
          length: fc.nat(3000),
          byte: fc.integer({ min: 1, max: 255 }),
        });
        await fc.assert(
          fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
            // Ranges that meet are written one after the other; all others at the same time.
            await Promise.all(
              pieces
                .map(({ at, length, byte }, index) => ({
                  at,
                  byte,
                  end: Math.min(BYTES, at + length),
                  index,
                }))
                .filter(({ at, end, index }, _, all) =>
                  all.every((other) => other.index >= index || other.end <= at || other.at >= end),
                )
                .map(async ({ at, end, byte }) => {
                  model.fill(byte, at, end);
                  await file.write(at, new Uint8Array(end - at).fill(byte));
                }),
            );
            const whole = new Uint8Array(BYTES + 100);
            expect(await file.read(0, whole)).toBe(BYTES);
            expect(Buffer.from(whole.subarray(0, BYTES)).equals(model)).toBe(true);
            const [some] = pieces;
            if (!some) return;
            const part = new Uint8Array(some.length);
            const got = await file.read(some.at, part);
            expect(
              Buffer.from(part.subarray(0, got)).equals(model.subarray(some.at, some.at + some.length)),
            ).toBe(true);
          }),
          { numRuns: propertyRuns(40) },
        );
        expect(await codeOf(file.write(BYTES, new Uint8Array(1)))).toBe('No_space');
        expect(await codeOf(file.append(new Uint8Array(1)))).toBe('No_space');
        expect(await codeOf(file.truncate(BYTES + 1))).toBe('No_space');
        await file.truncate(0);
        expect((await file.status()).sizeBytes).toBe(BYTES);
        await fs.sync();
      },
      { ram_block: ramBlock },
    ));
});

describe('a terminal', () => {
  const LINK = `<start name="link"> <binary name="terminal_crosslink"/>
    <provides> <service name="Terminal"/> </provides> </start>`;
  const withTerminal = (script: (user: Env, fs: FileSystemClient, other: TerminalClient) => Promise<void>) =>
    withUser(
      LINK + vfsOf('<terminal/> <zero/>'),
      async (user) => {
        const fs = await FileSystemClient.connect(user);
        await script(user, fs, await TerminalClient.connect(user));
      },
      { terminal_crosslink: terminalCrosslink },
    );

  test('tells a reader when there is something, and gives what is at hand', () =>
    withTerminal(async (_, fs, other) => {
      const file = await fs.open('/terminal', { mode: 'read-write' });
      expect(await file.status()).toMatchObject({ unsized: true });
      const into = new Uint8Array(100);
      expect(await file.readSome(0, into)).toBe(0);
      let told = false;
      const ready = file.ready().then(() => {
        told = true;
      });
      // Others are served while one waits.
      await fs.withFile('/zero', {}, (zero) => zero.read(0, new Uint8Array(1000)));
      expect(told).toBe(false);
      await other.write(bytesOf('typed'));
      await ready;
      expect(textOf(into.subarray(0, await file.readSome(0, into)))).toBe('typed');
      await file.append(bytesOf('shown'));
      expect(textOf(await other.read())).toBe('shown');
    }));

  test('what waits ends with its handle and its session, and few wait at a time', () =>
    withTerminal(async (user, fs) => {
      const file = await fs.open('/terminal', { mode: 'read-write' });
      const waiting = Array.from({ length: 8 }, () => codeOf(file.ready()));
      expect(await codeOf(file.ready())).toBe('Busy');
      await file.close();
      expect(new Set(await Promise.all(waiting))).toEqual(new Set(['Unavailable']));
      // A writer that nobody reads from.
      const second = await FileSystemClient.connect(user);
      const writer = await second.open('/terminal', { mode: 'write-only' });
      const writing = codeOf(writer.append(new Uint8Array(50_000)));
      const reader = await second.open('/terminal');
      const reading = codeOf(reader.ready());
      await second.stat('/zero');
      await second.close();
      expect(['PeerGone', 'Unavailable']).toContain(await writing);
      expect(['PeerGone', 'Unavailable']).toContain(await reading);
      // The server goes on.
      expect(await fs.stat('/zero')).toMatchObject({ unsized: true });
    }));
});

test('what is imported has an end: files without a size are not copied', () =>
  withUser(
    `<start name="files" ram="8M"> <binary name="vfs"/> <provides> <service name="File_system"/> </provides>
       <config> <vfs> <zero/> <inline name="f">content</inline> </vfs> <default-policy/> </config> </start>
     ${vfsOf('<ram/> <inline name="zero">there</inline> <import overwrite="yes"> <fs/> </import>')}`,
    async (user) => {
      const fs = await FileSystemClient.connect(user);
      expect([await read(fs, '/f'), await read(fs, '/zero')]).toEqual(['content', 'there']);
    },
  ));

/** The server of 9P2000.L over a file system in memory: its messages, hostile ones, and diod's clients. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { component, type Main } from '@ginit/core';
import { FileSystem, FileSystemClient } from '@ginit/core/file_system';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runSystem } from '../../../test/harness/in-process-system.ts';
import { missingOf, runProgram } from '../../../test/harness/programs.ts';
import { propertyRuns } from '../../../test/property-runs.ts';
import { MalformedMessage, NinePServer, type ShareOptions } from '../src/lib/9p/index.ts';
import ramFs from '../src/ram_fs/main.ts';
import { NinePClient } from './9p-client.ts';

const OPTIONS: ShareOptions = {
  uid: 1000,
  gid: 100,
  keepsChanges: false,
  writeable: true,
  messageBytes: 65_536,
  fidsMax: 64,
};

/** Runs `work` beside a file system in memory. */
async function withFiles(work: (files: FileSystemClient) => Promise<void>): Promise<void> {
  const main: Main = async (env) => {
    const files = await FileSystemClient.connect(env);
    await work(files);
    await files.close();
    env.exit(0);
  };
  const { end, complaints } = await runSystem(
    'shared',
    { ram_fs: ramFs, client: component({ requires: [FileSystem] }, main) },
    `<start name="files" ram="16M"> <binary name="ram_fs"/> <provides> <service name="File_system"/> </provides>
       <config> <content> <inline name="motd">Welcome!</inline> <dir name="etc"> <symlink name="issue" target="../motd"/> </dir> </content>
       <default-policy root="/" writeable="yes"/> </config> </start>
     <start name="client" ram="16M"> <exit propagate="yes"/>
       <route> <service name="File_system"> <child name="files"/> </service> <any-service> <parent/> </any-service> </route> </start>`,
  );
  expect(end, complaints.join('\n')).toEqual({ kind: 'exit', code: 0 });
}

/** A client that has attached fid 0. */
async function attached(files: FileSystemClient, options: Partial<ShareOptions> = {}, uid = 0) {
  const server = new NinePServer(files, { ...OPTIONS, ...options });
  const client = new NinePClient((message) => server.answer(message));
  await client.version();
  await client.attach(0, uid);
  return { server, client };
}

const errnoOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

describe('9P2000.L', () => {
  test('files are made, written, read, renamed while they are open, and removed', () =>
    withFiles(async (files) => {
      const { server, client } = await attached(files);
      expect(await client.version(1_000_000)).toEqual([65_536, '9P2000.L']);
      expect(await client.version(8192, '9P2000.u')).toEqual([8192, 'unknown']);
      await client.version();
      await client.attach(0);
      await client.ask(72, (to) => to.u32(0).text('dir').u32(0o755).u32(0));
      await client.walk(0, 1, 'dir');
      await client.create(1, 'file');
      expect(await client.write(1, 0, 'hello')).toBe(5);
      expect(await client.write(1, 7, 'world')).toBe(5);
      expect(await client.read(1, 0)).toBe('hello\0\0world');
      expect(await client.read(1, 10)).toBe('ld');
      expect(await client.attributes(1)).toEqual([0o100644, 1000, 100, 1, 12]);
      // The directory gets another name; the fids below it follow.
      await client.walk(0, 2, 'dir', 'file');
      await client.ask(74, (to) => to.u32(0).text('dir').u32(0).text('moved'));
      await client.open(2, 2);
      expect(await client.read(2, 0)).toBe('hello\0\0world');
      await client.set(2, 8, { size: 3 });
      expect(await client.read(1, 0)).toBe('hel');
      await client.set(2, 0x100 | 0x20, { seconds: 1_000_000 });
      expect((await files.stat('/moved/file')).modifiedMs).toBe(1e9);
      // What is removed can be read until it is closed.
      expect(await errnoOf(client.ask(76, (to) => to.u32(0).text('moved').u32(0x200)))).toBe('errno 39');
      await client.walk(0, 3, 'moved', 'file');
      await client.ask(122, (to) => to.u32(3));
      expect(await client.read(1, 0)).toBe('hel');
      expect(await errnoOf(client.walk(0, 3, 'moved', 'file'))).toBe('done');
      expect(await client.walk(0, 4, 'moved', 'file')).toBe(1);
      await client.ask(76, (to) => to.u32(0).text('moved').u32(0x200));
      await server.close();
    }));

  test('links stay links, and the space is that of the file system', () =>
    withFiles(async (files) => {
      const { server, client } = await attached(files, {}, 7);
      await client.ask(16, (to) => to.u32(0).text('link').text('/no/such/place').u32(0));
      await client.walk(0, 1, 'link');
      expect((await client.ask(22, (to) => to.u32(1))).text()).toBe('/no/such/place');
      expect(((await client.attributes(1))[0] ?? 0) & 0o170000).toBe(0o120000);
      await client.walk(0, 2, 'etc', 'issue');
      expect((await client.ask(22, (to) => to.u32(2))).text()).toBe('../motd');
      await client.walk(0, 3, 'motd');
      await client.ask(70, (to) => to.u32(0).u32(3).text('other'));
      expect((await client.attributes(3))[3]).toBe(2);
      const space = await client.ask(8, (to) => to.u32(0));
      space.u32();
      const blockBytes = space.u32();
      const { totalBytes, freeBytes } = await files.space();
      expect([space.u64(), space.u64()]).toEqual(
        [totalBytes, freeBytes].map((bytes) => BigInt(Math.floor(bytes / blockBytes))),
      );
      await server.close();
    }));

  test('a directory is read in pieces, each entry once', () =>
    withFiles(async (files) => {
      const { server, client } = await attached(files);
      await files.mkdir('/many');
      const names = Array.from({ length: 100 }, (_, index) => `${'n'.repeat(index % 20)}${index}`);
      for (const name of names) await files.writeFile(`/many/${name}`, new Uint8Array(0));
      await client.walk(0, 1, 'many');
      await client.open(1);
      expect((await client.names(1, 64)).toSorted()).toEqual(['.', '..', ...names].toSorted());
      expect((await client.names(1, 60_000)).toSorted()).toEqual(['.', '..', ...names].toSorted());
      await server.close();
    }));

  test('owners are those of the config; changes are refused, or kept', () =>
    withFiles(async (files) => {
      const refusing = await attached(files);
      await refusing.client.walk(0, 1, 'motd');
      const before = await refusing.client.attributes(1);
      expect(before.slice(1, 3)).toEqual([1000, 100]);
      expect(await errnoOf(refusing.client.set(1, 2, { uid: 0 }))).toBe('errno 1');
      expect(await errnoOf(refusing.client.set(1, 1, { mode: 0o100777 }))).toBe('errno 1');
      // What changes nothing is no change.
      await refusing.client.set(1, 3, { uid: 1000, mode: before[0] ?? 0 });
      const keeping = await attached(files, { keepsChanges: true }, 33);
      await keeping.client.walk(0, 1, 'motd');
      await keeping.client.set(1, 7, { uid: 5, gid: 6, mode: 0o4711 });
      expect(await keeping.client.attributes(1)).toEqual([0o104711, 5, 6, 1, 8]);
      await keeping.client.walk(0, 2);
      await keeping.client.create(2, 'own', 0o600);
      expect(await keeping.client.attributes(2)).toEqual([0o100600, 33, 0, 1, 0]);
      await refusing.server.close();
      await keeping.server.close();
    }));

  test('nothing of a share that is only read is changed, and nothing outside of it is reached', () =>
    withFiles(async (files) => {
      const { server, client } = await attached(files, { writeable: false });
      await client.walk(0, 1, 'motd');
      expect(await errnoOf(client.open(1, 1))).toBe('errno 30');
      expect(await errnoOf(client.open(1, 0o1000))).toBe('errno 30');
      expect(await errnoOf(client.set(1, 8, {}))).toBe('errno 30');
      expect(await errnoOf(client.ask(122, (to) => to.u32(1)))).toBe('errno 30');
      await client.walk(0, 1);
      expect(await errnoOf(client.create(1, 'new'))).toBe('errno 30');
      expect(await errnoOf(client.ask(72, (to) => to.u32(0).text('new').u32(0).u32(0)))).toBe('errno 30');
      expect(await errnoOf(client.ask(74, (to) => to.u32(0).text('motd').u32(0).text('x')))).toBe('errno 30');
      expect(await client.walk(0, 2, '..', '..', 'etc', '..', 'motd')).toBe(5);
      await client.open(2);
      expect(await client.read(2)).toBe('Welcome!');
      for (const name of ['', 'a/b', '/', 'a\0b'])
        expect(await errnoOf(client.walk(0, 3, name))).toBe('errno 22');
      expect(await errnoOf(client.attach(4, 0, '/etc/issue/../../no'))).toBe('errno 2');
      await server.close();
    }));

  test('fids are bounded, and each has one meaning at a time', () =>
    withFiles(async (files) => {
      const { server, client } = await attached(files, { fidsMax: 3 });
      await client.walk(0, 1);
      await client.walk(0, 2);
      expect(await errnoOf(client.walk(0, 3))).toBe('errno 23');
      expect(await errnoOf(client.walk(0, 2))).toBe('errno 9');
      await client.open(1);
      expect(await errnoOf(client.open(1))).toBe('errno 9');
      expect(await errnoOf(client.walk(1, 1, 'etc'))).toBe('errno 9');
      expect(await errnoOf(client.read(2))).toBe('errno 9');
      await client.clunk(1);
      expect(await errnoOf(client.clunk(1))).toBe('errno 9');
      await client.walk(0, 1, 'motd');
      // A second opening that begins before the first has ended gets nothing.
      const twice = await Promise.all([errnoOf(client.open(1)), errnoOf(client.open(1))]);
      expect(twice.toSorted()).toEqual(['done', 'errno 9']);
      // The answer to a flush comes behind that of what it flushes.
      const order: string[] = [];
      const tag = client.nextTag;
      const reading = client.read(1).then(() => order.push('read'));
      const flushing = client.ask(108, (to) => to.u16(tag)).then(() => order.push('flush'));
      await Promise.all([reading, flushing]);
      expect(order).toEqual(['read', 'flush']);
      await server.close();
    }));
});

/** Messages of any form, most of them nearly right. */
const anyMessage = fc
  .tuple(
    fc.oneof(fc.constantFrom(8, 12, 14, 16, 20, 22, 24, 26, 40, 50, 52, 54, 70, 72, 74, 76), fc.nat(255)),
    fc.array(
      fc.oneof(
        fc.constantFrom(0, 1, 2, 3, 0xffff_ffff).map((value) => [4, value] as const),
        fc.constantFrom(0, 1, 3, 0xffff).map((value) => [2, value] as const),
        fc.nat(255).map((value) => [1, value] as const),
        fc.constantFrom('motd', 'etc', '..', '.', '', 'a/b', 'new', '\0').map((name) => [0, name] as const),
      ),
      { maxLength: 10 },
    ),
    fc.option(fc.nat(200), { nil: undefined, freq: 4 }),
  )
  .map(([type, parts, cut]) => {
    const bytes: number[] = [0, 0, 0, 0, type, 1, 0];
    for (const [size, value] of parts) {
      if (typeof value === 'string') {
        const name = new TextEncoder().encode(value);
        bytes.push(name.length, 0, ...name);
      } else for (let byte = 0; byte < size; byte++) bytes.push((value >>> (8 * byte)) & 0xff);
    }
    const message = Uint8Array.from(cut === undefined ? bytes : bytes.slice(0, Math.max(4, cut)));
    new DataView(message.buffer).setUint32(0, message.byteLength, true);
    return message;
  });

test('whatever a client sends is answered, or is no message; the server goes on', () =>
  withFiles(async (files) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyMessage, { maxLength: 25 }), async (messages) => {
        const { server, client } = await attached(files);
        await client.walk(0, 1, 'etc');
        await client.walk(0, 2, 'motd');
        await client.open(2, 2);
        for (const message of messages) {
          const answer = await server.answer(message).catch((error: unknown) => error);
          if (answer instanceof Uint8Array) {
            const header = new DataView(answer.buffer, answer.byteOffset);
            expect(header.getUint32(0, true)).toBe(answer.byteLength);
            expect([7, (message[4] ?? 0) + 1]).toContain(answer[4]);
            expect(answer.byteLength).toBeLessThanOrEqual(server.messageBytes);
          } else expect(answer).toBeInstanceOf(MalformedMessage);
        }
        await server.close();
      }),
      { numRuns: propertyRuns(60) },
    );
    const server = new NinePServer(files, OPTIONS);
    for (const bytes of [[], [7, 0, 0, 0, 100, 0], [8, 0, 0, 0, 100, 0, 0], [7, 0, 1, 0, 100, 0, 0]])
      await expect(server.answer(Uint8Array.from(bytes))).rejects.toBeInstanceOf(MalformedMessage);
  }));

/** Serves 9P at a socket, one message after the other. */
async function serveSocket(socket: Socket, server: NinePServer): Promise<void> {
  let held: Buffer = Buffer.alloc(0);
  for await (const piece of socket) {
    held = Buffer.concat([held, piece]);
    while (held.length >= 4 && held.length >= held.readUInt32LE(0)) {
      const size = held.readUInt32LE(0);
      socket.write(await server.answer(Uint8Array.from(held.subarray(0, size))));
      held = held.subarray(size);
    }
  }
}

test("diod's clients list and read a share", ({ skip }) => {
  const missing = missingOf('diodls', 'diodcat');
  skip(missing !== undefined, missing);
  return withFiles(async (files) => {
    const place = mkdtempSync(join(tmpdir(), 'ginit-9p-'));
    const listener = createServer((socket) => {
      const server = new NinePServer(files, OPTIONS);
      serveSocket(socket, server)
        .finally(() => server.close())
        .catch(() => {});
    });
    const path = join(place, '9p.sock');
    await new Promise<void>((resolve) => listener.listen(path, resolve));
    try {
      const large = Uint8Array.from({ length: 300_000 }, (_, index) => 32 + (index % 90));
      await files.writeFile('/large', large);
      const listed = await runProgram('diodls', ['-s', path, '-a', '/', '.']);
      expect(
        listed.stdout
          .split(/\s+/)
          .filter((name) => name !== '')
          .toSorted(),
      ).toEqual(['etc', 'large', 'motd']);
      const long = await runProgram('diodls', ['-s', path, '-a', '/', '-l', '.']);
      expect(long.stdout).toMatch(/-rw.* 1 .* 300000 .* large/);
      const read = await runProgram('diodcat', ['-s', path, '-a', '/', 'motd', 'large']);
      expect(read.stdout).toBe(`Welcome!${new TextDecoder().decode(large)}`);
    } finally {
      listener.close();
      rmSync(place, { recursive: true });
    }
  });
});

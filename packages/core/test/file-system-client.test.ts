/**
 * The File_system client over the server library: what users of paths and handles see, on every
 * carrier.
 */
import { FileSystemClient, type FileSystemEntry } from '@ginit/core/file_system';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from './file-system-memory.ts';
import { CARRIER_KINDS, codeOf, withClient, withServer } from './file-system-system.ts';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const words = (content: Uint8Array): string => new TextDecoder().decode(content);

/** Bytes that differ at every place. */
function pattern(sizeBytes: number, seed = 1): Uint8Array {
  const values = new Uint32Array(Math.ceil(sizeBytes / 4));
  for (let index = 0, state = seed; index < values.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    values[index] = state;
  }
  return new Uint8Array(values.buffer, 0, sizeBytes);
}

async function names(entries: AsyncIterable<FileSystemEntry>): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of entries) found.push(name);
  return found.toSorted();
}

describe.each(CARRIER_KINDS)('over a carrier that is %s', (kind) => {
  test('files are written, read, appended to, truncated', () =>
    withClient(kind, new MemoryFileSystem(), async (client) => {
      await client.writeFile('/a', text('hello'));
      await client.withFile('/a', { mode: 'read-write' }, async (file) => {
        await file.append(text(', world'));
        const into = new Uint8Array(5);
        expect(await file.read(7, into)).toBe(5);
        expect(words(into)).toBe('world');
        expect(await file.read(10, into)).toBe(2);
        expect(await file.read(12, into)).toBe(0);
        expect(await file.read(2 ** 50, into)).toBe(0);
        await file.truncate(4);
        await file.write(6, text('x'));
        await file.setModified(123_456);
        expect(await file.status()).toMatchObject({ sizeBytes: 7, links: 1, modifiedMs: 123_456 });
      });
      expect(words(await client.readFile('/a', 100))).toBe('hell\0\0x');
      expect(await codeOf(client.readFile('/a', 6))).toBe('Size_limit_reached');
      await client.truncate('/a', 0);
      expect((await client.stat('/a')).sizeBytes).toBe(0);
      expect(await client.space()).toMatchObject({ freeBytes: 2 ** 30 });
    }));

  test('a large file goes in many packets at a time and comes back whole', async () => {
    const backend = new MemoryFileSystem();
    await withClient(kind, backend, async (client) => {
      const content = pattern(5 * 1024 * 1024 + 123);
      await client.writeFile('/large', content);
      const read = await client.readFile('/large', 2 ** 24);
      expect(Buffer.compare(read, content)).toBe(0);
      expect(backend.underWayMost).toBeGreaterThanOrEqual(8);
    });
  });

  test('a small bulk buffer serves, a useless one is refused', () =>
    withServer(kind, new MemoryFileSystem(), async (env) => {
      const client = await FileSystemClient.connect(env, { bufferBytes: 4096 });
      const content = pattern(100_000);
      await client.writeFile('/f', content);
      expect(Buffer.compare(await client.readFile('/f', 2 ** 20), content)).toBe(0);
      for (let index = 0; index < 50; index++) await client.mkdir(`/${index}`);
      expect(await names(client.readdir('/'))).toHaveLength(51);
      await client.close();
      await expect(FileSystemClient.connect(env, { bufferBytes: 1024 })).rejects.toThrow(/tx_buf_size/);
    }));

  test('directories, links and names', () =>
    withClient(kind, new MemoryFileSystem(), async (client) => {
      await client.mkdir('/d');
      await client.mkdir('/d/e/');
      await client.writeFile('/d/f', text('f'));
      await client.link('/d/f', '/d/e/g');
      await client.symlink('/s', 'd/e');
      await client.symlink('/abs', '/d/f');
      await client.symlink('/d/e/up', '../f');
      expect(await names(client.readdir('/s'))).toEqual(['g', 'up']);
      await client.symlink('/d/e/top', '/d');
      expect(words(await client.readFile('/d/e/top/f', 9))).toBe('f');
      expect(words(await client.readFile('/d/e/top/../s/g', 9))).toBe('f');
      await client.unlink('/d/e/top');
      expect(words(await client.readFile('/abs', 9))).toBe('f');
      expect(words(await client.readFile('/s/up', 9))).toBe('f');
      expect(words(await client.readFile('/../s/../../d/./f', 9))).toBe('f');
      expect(await client.readlink('/s')).toBe('d/e');
      expect(await client.stat('/s/g')).toMatchObject({ type: 'file', links: 2 });
      expect(await client.lstat('/s')).toMatchObject({ type: 'symlink', sizeBytes: 3 });
      expect(await client.stat('/s')).toMatchObject({ type: 'directory' });
      await client.rename('/d/e', '/moved');
      expect(await codeOf(client.stat('/s'))).toBe('Lookup_failed');
      await client.unlink('/s');
      await client.unlink('/moved/g');
      await client.unlink('/moved/up');
      await client.rmdir('/moved');
      expect(await names(client.readdir('/'))).toEqual(['abs', 'd']);
    }));

  test('errors have the codes of the interface', () =>
    withClient(kind, new MemoryFileSystem(), async (client) => {
      await client.mkdir('/d');
      await client.writeFile('/d/f', text('f'));
      await client.symlink('/loop', 'loop');
      await client.symlink('/nowhere', 'missing');
      const expected: [string, () => Promise<unknown>][] = [
        ['Lookup_failed', () => client.open('/x')],
        ['Lookup_failed', () => client.open('/x/y')],
        ['Lookup_failed', () => client.open('/nowhere')],
        ['Not_a_directory', () => client.open('/d/f/y')],
        ['Not_a_directory', () => client.open('/d/f/')],
        ['Is_a_directory', () => client.open('/d')],
        ['Is_a_directory', () => client.open('/d/')],
        ['Is_a_directory', () => client.open('/')],
        ['Is_a_directory', () => client.open('/d/..')],
        ['Too_many_symlinks', () => client.open('/loop')],
        ['Too_many_symlinks', () => client.stat('/loop')],
        ['Too_many_symlinks', () => client.open('/loop/x')],
        ['Node_already_exists', () => client.open('/d/f', { create: 'new' })],
        ['Node_already_exists', () => client.open('/nowhere', { create: 'new' })],
        ['Node_already_exists', () => client.mkdir('/d')],
        ['Node_already_exists', () => client.mkdir('/')],
        ['Node_already_exists', () => client.symlink('/d', 'x')],
        ['Node_already_exists', () => client.link('/d/f', '/d')],
        ['Is_a_directory', () => client.link('/d', '/e')],
        ['Not_empty', () => client.rmdir('/d')],
        ['Not_a_directory', () => client.rmdir('/d/f')],
        ['Is_a_directory', () => client.unlink('/d')],
        ['Not_a_directory', () => client.unlink('/d/f/')],
        ['Invalid_argument', () => client.rename('/d', '/d/e')],
        ['Not_a_directory', () => client.rename('/d/f', '/g/')],
        ['Invalid_argument', () => client.readlink('/d')],
        ['Invalid_name', () => client.unlink('/')],
        ['Invalid_name', () => client.rmdir('/d/.')],
        ['Invalid_name', () => client.rename('/..', '/x')],
        ['Invalid_name', () => client.stat('d')],
        ['Invalid_name', () => client.stat('')],
        ['Invalid_name', () => client.mkdir('/a\0b')],
        ['Name_too_long', () => client.mkdir(`/${'é'.repeat(128)}`)],
        ['Name_too_long', () => client.stat(`/${'x'.repeat(300)}/y`)],
        ['Lookup_failed', () => client.removeAll('/x')],
        ['Not_a_directory', () => client.openDirectory('/d/f')],
      ];
      for (const [code, call] of expected) expect(await codeOf(call())).toBe(code);
      await client.mkdir(`/${'é'.repeat(127)}`);
      await client.withFile('/nowhere', { mode: 'write-only', create: 'if-missing' }, async () => undefined);
      expect((await client.stat('/missing')).type).toBe('file');
    }));

  test('names that are no UTF-8 go both ways', () =>
    withClient(kind, new MemoryFileSystem(), async (client) => {
      const name = `a\udcff${'b'.repeat(100)}\udc80 é 😀`;
      await client.writeFile(`/${name}`, text('x'));
      await client.symlink('/s', name);
      expect(await names(client.readdir('/'))).toEqual([name, 's'].toSorted());
      expect(await client.readlink('/s')).toBe(name);
      expect(words(await client.readFile('/s', 9))).toBe('x');
      expect(await codeOf(client.mkdir('/\ud800'))).toBe('Invalid_name');
    }));

  test('a handle outlives a rename and the last name', () =>
    withClient(kind, new MemoryFileSystem(), async (client) => {
      await client.writeFile('/a', text('one'));
      await client.withFile('/a', { mode: 'read-write' }, async (file) => {
        await client.rename('/a', '/b');
        await file.append(text(' two'));
        await client.unlink('/b');
        await file.append(text(' three'));
        const into = new Uint8Array(100);
        expect(words(into.subarray(0, await file.read(0, into)))).toBe('one two three');
        expect((await file.status()).links).toBe(0);
        expect(await codeOf(client.stat('/b'))).toBe('Lookup_failed');
      });
      await client.mkdir('/d');
      await client.withDirectory('/d', async (directory) => {
        await client.rmdir('/d');
        expect(await codeOf(directory.file('x', 'read-write', true))).toBe('Lookup_failed');
      });
    }));

  test('appends at the same time do not tear each other apart', () =>
    withClient(kind, new MemoryFileSystem(), async (client) => {
      await client.writeFile('/log', new Uint8Array(0));
      const writers = Array.from({ length: 20 }, (_, index) =>
        client.withFile('/log', { mode: 'write-only' }, async (file) => {
          for (let line = 0; line < 10; line++) await file.append(text(`${index % 10}`.repeat(99) + '\n'));
        }),
      );
      await Promise.all(writers);
      const lines = words(await client.readFile('/log', 2 ** 20)).split('\n');
      expect(lines).toHaveLength(201);
      expect(lines.slice(0, -1).every((line) => /^(\d)\1{98}$/.test(line))).toBe(true);
    }));

  test('a full file system says so, with what was there intact', () =>
    withClient(
      kind,
      new MemoryFileSystem({ faults: { capacityBytes: 100_000 } }),
      async (client) => {
        await client.writeFile('/a', pattern(60_000));
        expect(await codeOf(client.writeFile('/b', pattern(300_000)))).toBe('No_space');
        await client.withFile('/b', { mode: 'write-only' }, async (file) => {
          expect(await codeOf(file.append(text('x')))).toBe('No_space');
        });
        expect(Buffer.compare(await client.readFile('/a', 2 ** 20), pattern(60_000))).toBe(0);
      },
      { bufferBytes: 32_768 },
    ));

  test('SYNC is passed on, and errors of a packet keep their code', () => {
    const backend = new MemoryFileSystem();
    return withClient(kind, backend, async (client) => {
      await client.sync();
      expect(backend.syncs).toBe(1);
      await client.writeFile('/a', text('x'));
      expect(await codeOf(client.withFile('/a', {}, (file) => file.write(0, text('y'))))).toBe(
        'Invalid_handle',
      );
      const write = client.withFile('/a', { mode: 'write-only' }, (file) => file.read(0, new Uint8Array(1)));
      expect(await codeOf(write)).toBe('Invalid_handle');
    });
  });

  test('no handle stays open, whatever fails', () =>
    withClient(
      kind,
      new MemoryFileSystem(),
      async (client) => {
        await client.mkdir('/d');
        for (let index = 0; index < 300; index++) await client.symlink(`/d/${index}`, 'nowhere');
        await client.writeFile('/f', text('x'));
        for (let round = 0; round < 5; round++) {
          for await (const { name } of client.readdir('/d')) if (name === '7') break;
          const calls = [
            () => client.open('/d/1'),
            () => client.open('/d'),
            () => client.mkdir('/d'),
            () => client.rmdir('/d'),
            () => client.rename('/f', '/d'),
            () => client.link('/f', '/d'),
            () => client.readFile('/f', 0),
            () => client.removeAll('/x'),
            () => client.withFile('/f', {}, (file) => file.write(0, text('y'))),
            () => client.withFile('/f', {}, (file) => file.read(-1, new Uint8Array(1))),
            () => client.withFile('/f', {}, (file) => file.read(0.5, new Uint8Array(1))),
          ];
          for (const call of calls) expect(await codeOf(call())).not.toBe('succeeded');
          const write = client.withFile('/f', { mode: 'write-only' }, (file) =>
            file.write(2 ** 53 - 2, text('xy')),
          );
          expect(await codeOf(write)).toBe('Size_limit_reached');
          const beyond = await client.withFile('/f', {}, (file) => file.read(2 ** 53 - 1, new Uint8Array(1)));
          expect(beyond).toBe(0);
        }
      },
      { handlesMax: 3 },
    ));

  test('a large directory is read whole, also while it changes', () =>
    withClient(kind, new MemoryFileSystem(), async (client) => {
      const all = Array.from({ length: 1500 }, (_, index) => `file-${index}`);
      await client.mkdir('/d');
      await client.withDirectory('/d', async (directory) => {
        for (const name of all) await (await directory.file(name, 'read-write', true)).close();
        expect(await directory.numEntries()).toBe(1500);
        const seen: string[] = [];
        for await (const { name } of directory.entries()) {
          seen.push(name);
          if (seen.length % 2 === 0) await directory.unlink(name);
        }
        expect(seen.toSorted()).toEqual(all.toSorted());
        expect(await directory.numEntries()).toBe(750);
        const from700 = await directory.entriesFrom(700);
        const rest = await directory.entriesFrom(700 + from700.length);
        expect(from700.length + rest.length).toBe(50);
        expect(await directory.entriesFrom(5000)).toEqual([]);
        expect((await directory.entriesFrom(3))[0]?.name).toBe('file-6');
      });
    }));
});

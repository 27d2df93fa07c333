/** Watching nodes of a file system: whose changes a client hears of, and when. */
import { FileSystem, FileSystemClient } from '@ginit/core/file_system';
import type { Env } from '@ginit/core';
import { Packet } from '@ginit/core/packet-stream';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from './file-system-memory.ts';
import { CARRIER_KINDS, codeOf, withServer } from './file-system-system.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** How often a watch has spoken, beyond its beginning. */
interface Counted {
  readonly news: () => Promise<number>;
  readonly close: () => Promise<void>;
}

async function counted(client: FileSystemClient, path: string): Promise<Counted> {
  let calls = -1;
  const watch = await client.watch(path, () => void calls++);
  return {
    news: async () => {
      // What was sent before the answer to this arrives before it, or in the same batch.
      for (let round = 0; round < 3; round++) await client.sync();
      const seen = calls;
      calls = 0;
      return seen;
    },
    close: () => watch.close(),
  };
}

describe.each(CARRIER_KINDS)('over a carrier that is %s', (kind) => {
  const withTwo = (
    body: (watcher: FileSystemClient, writer: FileSystemClient, env: Env) => Promise<void>,
    backend = new MemoryFileSystem(),
  ): Promise<void> =>
    withServer(kind, backend, async (env) => {
      const [watcher, writer] = await Promise.all([
        FileSystemClient.connect(env),
        FileSystemClient.connect(env),
      ]);
      await body(watcher, writer, env);
      await Promise.all([watcher.close(), writer.close()]);
    });

  test('a file speaks when a handle by which it was changed is closed, and not before', () =>
    withTwo(async (watcher, writer) => {
      await writer.writeFile('/f', bytesOf('1'));
      const file = await counted(watcher, '/f');
      expect(await file.news()).toBe(0);
      const open = await writer.open('/f', { mode: 'read-write' });
      await open.truncate(0);
      await open.write(0, bytesOf('half'));
      expect(await file.news()).toBe(0);
      await open.write(4, bytesOf(' and half'));
      await open.close();
      expect(await file.news()).toBe(1);
      await writer.readFile('/f', 100);
      await writer.stat('/f');
      expect(await file.news()).toBe(0);
    }));

  test('a file that stays open speaks with the next SYNC, once', () =>
    withTwo(async (watcher, writer) => {
      const open = await writer.open('/log', { mode: 'write-only', create: 'new' });
      const file = await counted(watcher, '/log');
      await open.append(bytesOf('line\n'));
      expect(await file.news()).toBe(0);
      await writer.sync();
      expect(await file.news()).toBe(1);
      await writer.sync();
      await open.close();
      expect(await file.news()).toBe(0);
    }));

  test('a directory speaks when an entry is made, removed, linked or renamed, in it or into it', () =>
    withTwo(async (watcher, writer) => {
      await writer.mkdir('/d');
      await writer.mkdir('/e');
      const [d, e] = [await counted(watcher, '/d'), await counted(watcher, '/e')];
      const steps: [() => Promise<unknown>, number, number][] = [
        [() => writer.mkdir('/d/sub'), 1, 0],
        [() => writer.openDirectory('/d').then((directory) => directory.directory('x', true)), 1, 0],
        [() => writer.writeFile('/d/f', bytesOf('1')), 1, 0],
        [() => writer.writeFile('/d/f', bytesOf('2')), 0, 0],
        [() => writer.symlink('/d/s', '/e'), 1, 0],
        [() => writer.link('/d/f', '/e/f'), 0, 1],
        [() => writer.rename('/d/f', '/d/g'), 1, 0],
        [() => writer.rename('/d/g', '/e/g'), 1, 1],
        [() => writer.unlink('/e/g'), 0, 1],
        [() => writer.rmdir('/d/sub'), 1, 0],
        [() => codeOf(writer.rmdir('/d/none')), 0, 0],
        [() => codeOf(writer.mkdir('/d/s')), 0, 0],
      ];
      for (const [step, ofD, ofE] of steps) {
        await step();
        expect([await d.news(), await e.news()], String(step)).toEqual([ofD, ofE]);
      }
    }));

  test('a file speaks when it is removed, or another takes its name', () =>
    withTwo(async (watcher, writer) => {
      await writer.writeFile('/a', bytesOf('a'));
      await writer.writeFile('/b', bytesOf('b'));
      const [a, b] = [await counted(watcher, '/a'), await counted(watcher, '/b')];
      await writer.rename('/a', '/b');
      expect([await a.news(), await b.news()]).toEqual([0, 1]);
      await writer.unlink('/b');
      expect([await a.news(), await b.news()]).toEqual([1, 0]);
    }));

  test('many changes become few packets, and the last one is always heard of', () =>
    withTwo(async (watcher, writer) => {
      await writer.mkdir('/d');
      let seen = 0;
      let looking: Promise<void> = Promise.resolve();
      const look = (): void => {
        looking = watcher.withDirectory(
          '/d',
          async (directory) => void (seen = await directory.numEntries()),
        );
      };
      const watch = await watcher.watch('/d', look);
      for (let n = 0; n < 200; n++) await writer.mkdir(`/d/${n}`);
      for (let round = 0; round < 3; round++) await watcher.sync();
      await looking;
      expect(seen).toBe(200);
      await watch.close();
    }));

  test('a watch that is closed says nothing more, and its handle is gone', () =>
    withTwo(async (watcher, writer) => {
      const root = await counted(watcher, '/');
      await root.close();
      await writer.mkdir('/d');
      expect(await root.news()).toBe(0);
    }));

  test('a watch of what is not there, of a malformed path, and beyond the handles is refused', () =>
    withTwo(async (watcher) => {
      const watchOf = (path: string): Promise<string> => codeOf(watcher.session.watch(path));
      expect(await watchOf('/none')).toBe('Lookup_failed');
      expect(await watchOf('none')).toBe('Invalid_name');
      const handle = await watcher.session.watch('/');
      expect(await codeOf(watcher.session.numEntries(handle))).toBe('Invalid_handle');
      expect((await watcher.session.status(handle)).type).toBe('directory');
      const codes: string[] = [];
      for (let n = 0; n < 4096; n++) codes.push(await watchOf('/'));
      expect([codes.at(-2), codes.at(-1)]).toEqual(['succeeded', 'Out_of_node_handles']);
    }));

  test('a client that takes no packets for a while loses no word of what it watches', () =>
    withServer(kind, new MemoryFileSystem(), async (env) => {
      const writer = await FileSystemClient.connect(env);
      // The session without the library: nobody takes acknowledgements until we do. There are more
      // watches than slots for them.
      const session = await env.connect(FileSystem);
      const paths = Array.from({ length: 100 }, (_, n) => `/d${n}`);
      for (const path of paths) await writer.mkdir(path);
      const watched: number[] = [];
      for (const path of paths) watched.push(await session.watch(path));
      for (const path of paths) await writer.mkdir(`${path}/x`);
      const heard: number[] = [];
      const packet = new Packet();
      session.tx.onWake(() => {
        while (session.tx.nextAcknowledged(packet)) heard.push(packet.handle);
      });
      for (let round = 0; round < 1000 && heard.length < 100; round++) await writer.sync();
      expect(heard.toSorted((left, right) => left - right)).toEqual(watched);
      await env.close(session);
      await writer.close();
    }));
});

/** Removing whole trees: wide, deep, changing under our feet. */
import type { FileSystemClient } from '@ginit/core/file_system';
import { describe, expect, test } from 'vitest';
import { MemoryError, MemoryFileSystem } from './file-system-memory.ts';
import { CARRIER_KINDS, codeOf, withClient } from './file-system-system.ts';

async function chain(client: FileSystemClient, at: string, depth: number): Promise<void> {
  let directory = await client.openDirectory(at);
  for (let level = 0; level < depth; level++) {
    const next = await directory.directory('d', true);
    await (await next.file('f', 'read-write', true)).close();
    await directory.close();
    directory = next;
  }
  await directory.close();
}

describe.each(CARRIER_KINDS)('over a carrier that is %s', (kind) => {
  test('removes a file, a link and an empty directory', () =>
    withClient(kind, new MemoryFileSystem(), async (client) => {
      await client.mkdir('/keep');
      await client.writeFile('/keep/f', new Uint8Array(1));
      await client.symlink('/link', 'keep');
      await client.mkdir('/empty');
      for (const path of ['/link', '/empty']) await client.removeAll(path);
      await client.removeAll('/keep/f');
      expect(await codeOf(client.removeAll('/keep/f'))).toBe('Lookup_failed');
      expect(await codeOf(client.removeAll('/'))).toBe('Invalid_name');
      expect((await client.stat('/keep')).type).toBe('directory');
    }));

  test('removes a tree far deeper than any path, with handles for a few levels only', async () => {
    const backend = new MemoryFileSystem();
    await withClient(
      kind,
      backend,
      async (client) => {
        await client.mkdir('/top');
        await chain(client, '/top', 2500);
        await client.mkdir('/beside');
        await client.symlink('/top/d/d/link', '/beside');
        await client.removeAll('/top');
        expect([...backend.root.entries.keys()]).toEqual(['beside']);
      },
      { handlesMax: 70 },
    );
  });

  test('removes a wide directory', async () => {
    const backend = new MemoryFileSystem();
    await withClient(kind, backend, async (client) => {
      await client.mkdir('/top');
      await client.withDirectory('/top', async (directory) => {
        for (let index = 0; index < 2000; index++) {
          if (index % 10 === 0) await (await directory.directory(`${index}`, true)).close();
          else await directory.symlink(`${index}`, '/top');
        }
      });
      await client.removeAll('/top');
      expect(backend.root.entries.size).toBe(0);
    });
  });

  test('removes a tree that others are changing', async () => {
    const backend = new MemoryFileSystem();
    await withClient(kind, backend, async (client) => {
      await client.mkdir('/top');
      for (let index = 0; index < 40; index++) {
        await client.mkdir(`/top/${index}`);
        await client.writeFile(`/top/${index}/f`, new Uint8Array(1));
      }
      const meddle = async (from: number): Promise<void> => {
        for (let index = from; index < 40; index += 2) {
          await codeOf(client.rename(`/top/${index}/f`, `/top/${(index * 7) % 40}/g`));
          await codeOf(client.unlink(`/top/${index}/g`));
          await codeOf(client.writeFile(`/top/${index}/late`, new Uint8Array(1)));
        }
      };
      await Promise.all([client.removeAll('/top'), meddle(0), meddle(1)]);
      expect(backend.root.entries.size).toBe(0);
    });
  });

  test('two clients may remove the same tree at the same time', async () => {
    const backend = new MemoryFileSystem();
    await withClient(kind, backend, async (client) => {
      await client.mkdir('/top');
      await chain(client, '/top', 30);
      await Promise.all([client.removeAll('/top'), client.removeAll('/top')]);
      expect(backend.root.entries.size).toBe(0);
    });
  });

  test('an error ends it and leaves no handle open', async () => {
    let broken = false;
    const before = (operation: string): void => {
      if (broken && operation === 'unlink') throw new MemoryError('Input_output');
    };
    const backend = new MemoryFileSystem({ faults: { before } });
    await withClient(kind, backend, async (client) => {
      await client.mkdir('/top');
      await chain(client, '/top', 5);
      broken = true;
      expect(await codeOf(client.removeAll('/top'))).toBe('Input_output');
      // The root of the session is all that is held.
      expect(backend.held).toBe(1);
      broken = false;
      await client.removeAll('/top');
    });
    expect(backend.root.entries.size).toBe(0);
  });
});

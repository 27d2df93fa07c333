/**
 * The edges of the File_system server: handles that come again, backends that do not keep to their
 * interface.
 */
import { describe, expect, test } from 'vitest';
import { RpcError } from '../src/index.ts';
import { FileSystem, FileSystemClient } from '../src/file_system.ts';
import { HandleTable, OpenNode } from '../src/session/file_system/server/handle-table.ts';
import { MemoryFileSystem } from './file-system-memory.ts';
import { CARRIER_KINDS, codeOf, withClient, withServer } from './file-system-system.ts';

const NODE = { type: 'file' } as const;
const open = async (): Promise<OpenNode<typeof NODE>> =>
  new OpenNode(NODE, 'file', { readable: true, writeable: false });

describe('the handles of a session', () => {
  test('a number does not come again at once', async () => {
    const table = new HandleTable<typeof NODE>(10, async () => {});
    const first = await table.add(open);
    await table.close(first);
    expect(await table.add(open)).not.toBe(first);
  });

  test('closing all of them closes each, and fails if one cannot be given back', async () => {
    let released = 0;
    const table = new HandleTable<typeof NODE>(10, async () => {
      released++;
      if (released === 2) throw new Error('lost');
    });
    for (let index = 0; index < 3; index++) await table.add(open);
    await expect(table.closeAll()).rejects.toThrow('lost');
    expect(released).toBe(3);
    expect(table.size).toBe(0);
    for (let index = 0; index < 2; index++) await table.add(open);
    await expect(table.closeAll()).resolves.toBeUndefined();
    expect(released).toBe(5);
  });
});

describe.each(CARRIER_KINDS)('over a carrier that is %s', (kind) => {
  test('a directory that never ends is corrupt', () => {
    const backend = new MemoryFileSystem();
    backend.list = async (_node, cursor) => ({ entries: [], nextCursor: cursor });
    return withServer(kind, backend, async (env) => {
      const session = await env.connect(FileSystem);
      const root = await session.dir('/', false);
      expect(await codeOf(session.numEntries(root))).toBe('Corrupt');
    });
  });

  test('the entries of a directory that never ends are corrupt', () => {
    const backend = new MemoryFileSystem();
    backend.list = async (_node, cursor) => ({ entries: [], nextCursor: cursor });
    return withClient(kind, backend, async (client) => {
      const list = async (): Promise<void> => {
        for await (const _entry of client.readdir('/'));
      };
      expect(await codeOf(list())).toBe('Corrupt');
    });
  });

  test.each([-1, 1_000_000, Number.NaN])('a backend that says that it read %d bytes is wrong', (bytes) => {
    const backend = new MemoryFileSystem();
    return withServer(kind, backend, async (env, reports) => {
      const client = await FileSystemClient.connect(env, { label: 'test' });
      await client.writeFile('/file', new Uint8Array(10));
      backend.read = async () => bytes;
      expect(await codeOf(client.readFile('/file', 100))).toBe('Input_output');
      expect(String(reports[0])).toMatch(/a file system says that it did .* bytes/);
      await client.close();
    });
  });

  test('the text of an error with an undeclared code does not reach the client', () => {
    const before = (operation: string): void => {
      if (operation === 'createFile') throw new RpcError('Nonsense', 'secret');
    };
    return withServer(kind, new MemoryFileSystem({ faults: { before } }), async (env, reports) => {
      const session = await env.connect(FileSystem);
      const root = await session.dir('/', false);
      const error = await session.file(root, 'x', 'read-write', true).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'Input_output', message: 'Input_output' });
      expect(reports).toHaveLength(1);
    });
  });

  test('opening a symbolic link as a directory fails with an error that says so', () =>
    withServer(kind, new MemoryFileSystem(), async (env) => {
      const session = await env.connect(FileSystem);
      const root = await session.dir('/', false);
      await session.symlink(root, 'link', '/');
      expect(await codeOf(session.subdir(root, 'link', false))).toBe('Is_a_symlink');
    }));

  test('the argument writeable may be a word', () =>
    withServer(kind, new MemoryFileSystem(), async (env) => {
      const outcomes = { yes: 'succeeded', no: 'Permission_denied' };
      for (const [writeable, outcome] of Object.entries(outcomes)) {
        const session = await env.connect(FileSystem, { args: { writeable } });
        const root = await session.dir('/', false);
        expect(await codeOf(session.subdir(root, 'made', true)), writeable).toBe(outcome);
        await env.close(session);
      }
    }));
});

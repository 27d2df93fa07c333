/** A file system by nodes: what a kernel's cache of nodes asks of a session. */
import { FileSystemClient, NodesClient, type NodeChange } from '@ginit/core/file_system';
import { describe, expect, test } from 'vitest';
import { ChangeNotices } from '../src/session/file_system/server/change-notices.ts';
import { MemoryFileSystem } from './file-system-memory.ts';
import { CARRIER_KINDS, codeOf, type SystemOptions, withServer } from './file-system-system.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const OPTIONS = { label: 'nodes', bufferBytes: 256 * 1024, writeable: true };
const FILE = { type: 'file', mode: 0o640, uid: 7, gid: 8 } as const;
const DIRECTORY = { type: 'directory', mode: 0o750, uid: 7, gid: 8 } as const;

describe.each(CARRIER_KINDS)('over a carrier that is %s', (kind) => {
  const withNodes = (
    body: (nodes: NodesClient, other: FileSystemClient) => Promise<void>,
    options: SystemOptions = {},
    backend = new MemoryFileSystem(),
  ): Promise<void> =>
    withServer(
      kind,
      backend,
      async (env) => {
        const other = await FileSystemClient.connect(env);
        const nodes = await NodesClient.connect(env, OPTIONS);
        await body(nodes, other);
        await env.close(nodes.session);
        await other.close();
      },
      options,
    );

  test('one handle of a node serves for all that it is asked for', () =>
    withNodes(async (nodes) => {
      const root = await nodes.root();
      const directory = await nodes.make(root, 'd', DIRECTORY);
      expect(directory.status).toMatchObject({ type: 'directory', mode: 0o750, uid: 7, gid: 8 });
      const file = await nodes.make(directory.handle, 'f', FILE);
      expect(file.status).toMatchObject({ type: 'file', mode: 0o640, uid: 7, gid: 8, sizeBytes: 0 });
      const writer = await nodes.open(file.handle, 'write-only');
      expect(await nodes.write(writer, 0, bytesOf('hello'))).toBe(5);
      await nodes.close(writer);
      const found = await nodes.lookup(directory.handle, 'f');
      expect(found.status).toMatchObject({ inode: file.status.inode, sizeBytes: 5 });
      const into = new Uint8Array(9);
      expect(await nodes.read(found.handle, 2, into)).toBe(3);
      expect(new TextDecoder().decode(into.subarray(0, 3))).toBe('llo');
      expect(await nodes.write(found.handle, 5, bytesOf('!'))).toBe(1);
      expect(await codeOf(nodes.write(directory.handle, 0, into))).toBe('Invalid_handle');
      expect(await codeOf(nodes.lookup(found.handle, 'x'))).toBe('Not_a_directory');
      expect(await codeOf(nodes.open(directory.handle, 'write-only'))).toBe('Is_a_directory');
      const listing = await nodes.open(directory.handle, 'read-only');
      expect((await nodes.entriesFrom(listing, 0, 9)).map(({ name }) => name)).toEqual(['f']);
      const link = await nodes.makeSymlink(directory.handle, 'l', 'f', { uid: 1, gid: 2 });
      expect(await nodes.target(link.handle)).toBe('f');
      expect(await codeOf(nodes.target(found.handle))).toBe('Invalid_argument');
      expect(await codeOf(nodes.read(link.handle, 0, into))).toBe('Unsupported');
    }));

  test('attributes are set, and those that are not named stay', () =>
    withNodes(async (nodes) => {
      const { handle } = await nodes.make(await nodes.root(), 'f', FILE);
      expect(await nodes.setAttributes(handle, { mode: 0o4711 })).toMatchObject({
        mode: 0o4711,
        uid: 7,
        gid: 8,
      });
      const times = { accessedMs: 12_345, modifiedMs: 67_890 };
      expect(await nodes.setAttributes(handle, { ...times, gid: 9 })).toMatchObject({
        ...times,
        gid: 9,
        uid: 7,
      });
      expect(await nodes.setAttributes(handle, { sizeBytes: 100 })).toMatchObject({
        sizeBytes: 100,
        mode: 0o4711,
      });
      expect(await codeOf(nodes.setAttributes(await nodes.root(), { sizeBytes: 1 }))).toBe('Is_a_directory');
    }));

  test('a directory with the bit 02000 gives its group to what is made in it', () =>
    withNodes(async (nodes) => {
      const above = await nodes.make(await nodes.root(), 'd', { ...DIRECTORY, mode: 0o2770, gid: 42 });
      expect((await nodes.make(above.handle, 'f', FILE)).status).toMatchObject({ gid: 42, mode: 0o640 });
      expect((await nodes.make(above.handle, 'd', DIRECTORY)).status).toMatchObject({
        gid: 42,
        mode: 0o2750,
      });
    }));

  test('entries come with their statuses, each once, however they are cut', () =>
    withNodes(async (nodes) => {
      const root = await nodes.root();
      for (let at = 0; at < 70; at++) await nodes.make(root, `name ${at}`, { ...FILE, uid: at });
      const seen = new Map<string, number>();
      for (let index = 0, size = 1; ; size = (size % 13) + 1) {
        const entries = await nodes.entriesFrom(root, index, size);
        if (entries.length === 0) break;
        for (const { name, status } of entries) seen.set(name, status?.uid ?? -1);
        index += entries.length;
        expect(seen.size).toBe(index);
      }
      expect(seen.size).toBe(70);
      for (let at = 0; at < 70; at++) expect(seen.get(`name ${at}`)).toBe(at);
    }));

  test('a move to a name that must be free replaces nothing', () =>
    withNodes(async (nodes) => {
      const root = await nodes.root();
      const first = await nodes.make(root, 'a', FILE);
      await nodes.make(root, 'b', FILE);
      expect(await codeOf(nodes.move(root, 'a', root, 'b', 'new'))).toBe('Node_already_exists');
      await nodes.move(root, 'a', root, 'c', 'new');
      expect((await nodes.lookup(root, 'c')).status.inode).toBe(first.status.inode);
      expect(await codeOf(nodes.move(root, 'c', root, 'b', 'exchange'))).toBe('Unsupported');
    }));

  test('changes of other sessions are told by inode, own ones are not', () =>
    withNodes(async (nodes, other) => {
      const heard: NodeChange[] = [];
      await nodes.onChange((change) => void heard.push(change));
      const news = async (): Promise<unknown[]> => {
        for (let round = 0; round < 3; round++) await nodes.sync();
        return heard.splice(0);
      };
      expect(await news()).toEqual(['any']);
      const root = await nodes.root();
      const { handle, status } = await nodes.make(root, 'f', FILE);
      await nodes.setAttributes(handle, { mode: 0o600 });
      expect(await news()).toEqual([]);
      await other.writeFile('/f', bytesOf('x'));
      expect(await news()).toContainEqual({ inode: status.inode });
      const above = (await nodes.status(root)).inode;
      await other.mkdir('/d');
      expect(await news()).toContainEqual({ inode: above });
    }));

  test('a session that may not write changes nothing, and says so', () =>
    withNodes(
      async (nodes) => {
        const root = await nodes.root();
        expect(await codeOf(nodes.make(root, 'f', FILE))).toBe('Permission_denied');
        expect(await codeOf(nodes.setAttributes(root, { mode: 0o700 }))).toBe('Permission_denied');
        expect(await nodes.space()).toMatchObject({ writeable: false, nameBytesMax: 255 });
      },
      { policies: '<policy label_prefix="" root="/" writeable="no"/>' },
    ));
});

test('if more has changed than is kept, one word says that anything may have', () => {
  const sent: number[] = [];
  let slots = 0;
  const sink = {
    notify: ({ position }: { readonly position: number }): boolean => {
      if (slots === 0) return false;
      slots--;
      sent.push(position);
      return true;
    },
  };
  const notices = new ChangeNotices();
  for (let inode = 1; inode <= 5; inode++) notices.addInode(1, inode);
  for (let inode = 1; inode <= 2000; inode++) notices.addInode(2, inode);
  notices.addInode(3, 7);
  notices.forget(3);
  slots = 3;
  notices.sendTo(sink);
  expect(sent).toEqual([1, 2, 3]);
  slots = 1000;
  notices.sendTo(sink);
  expect(sent).toEqual([1, 2, 3, 4, 5, 0]);
  notices.sendTo(sink);
  expect(sent).toHaveLength(6);
});

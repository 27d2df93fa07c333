/**
 * The File_system server library: confinement, rights, handles, and clients that keep to no rule.
 */
import { type Env, type Session } from '@ginit/core';
import { Packet, PACKET_STATUS } from '@ginit/core/packet-stream';
import {
  FileSystem,
  FileSystemClient,
  fileSystemError,
  FILE_SYSTEM_OPERATION,
  SEEK_TAIL,
} from '@ginit/core/file_system';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from './file-system-memory.ts';
import { CARRIER_KINDS, codeOf, withClient, withServer } from './file-system-system.ts';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const words = (content: Uint8Array): string => new TextDecoder().decode(content);

type Fields = Partial<Pick<Packet, 'operation' | 'handle' | 'position' | 'length' | 'offset' | 'size'>>;

/** Submits packets as they are and collects the acknowledgements: a client without any library. */
async function raw(session: Session<typeof FileSystem>, requests: readonly Fields[]): Promise<Packet[]> {
  const { tx } = session;
  const answers: Packet[] = [];
  await new Promise<void>((resolve) => {
    let submitted = 0;
    tx.onWake(() => {
      for (let packet = new Packet(); tx.nextAcknowledged(packet); packet = new Packet())
        answers.push(packet);
      while (submitted < requests.length && tx.submit(Object.assign(new Packet(), requests[submitted])))
        submitted++;
      tx.wakeup();
      if (answers.length === requests.length) resolve();
    });
    while (submitted < requests.length && tx.submit(Object.assign(new Packet(), requests[submitted])))
      submitted++;
    tx.wakeup();
  });
  return answers;
}

/** A small tree: /in/file, /in/deep/file, /out, and links out of /in. */
async function tree(env: Env): Promise<void> {
  const client = await FileSystemClient.connect(env, { label: 'admin' });
  await client.mkdir('/in');
  await client.mkdir('/in/deep');
  await client.writeFile('/in/file', text('inside'));
  await client.writeFile('/in/deep/file', text('deep'));
  await client.writeFile('/out', text('outside'));
  await client.symlink('/in/absolute', '/out');
  await client.symlink('/in/relative', '../out');
  await client.symlink('/in/deep/climb', '../../../../../out');
  await client.symlink('/in/home', '/');
  await client.symlink('/door', '/in');
  await client.close();
}

const POLICIES = `
  <policy label_suffix="admin" root="/" writeable="yes"/>
  <policy label_suffix="guest" root="/in" writeable="yes"/>
  <policy label_suffix="reader" root="/door"/>
  <policy label_suffix="lost" root="/nowhere"/>
  <policy label_suffix="file" root="/out"/>`;

describe.each(CARRIER_KINDS)('over a carrier that is %s', (kind) => {
  test('nobody leaves the root of the policy and of the session', () =>
    withServer(
      kind,
      new MemoryFileSystem(),
      async (env) => {
        await tree(env);
        const guest = await FileSystemClient.connect(env, { label: 'guest' });
        for (const path of ['/../file', '/../../deep/../file', '/deep/../../file', '/home/home/file']) {
          expect(words(await guest.readFile(path, 99))).toBe('inside');
        }
        for (const path of ['/out', '/../out', '/absolute', '/relative', '/deep/climb', '/home/../out']) {
          expect(await codeOf(guest.readFile(path, 99))).toBe('Lookup_failed');
        }
        await guest.close();
        const deep = await FileSystemClient.connect(env, { label: 'guest', root: '/deep/../deep' });
        expect(words(await deep.readFile('/file', 99))).toBe('deep');
        expect(words(await deep.readFile('/../file', 99))).toBe('deep');
        await deep.close();
        const climbing = await FileSystemClient.connect(env, { label: 'guest', root: '/../..' });
        expect(words(await climbing.readFile('/file', 99))).toBe('inside');
        await climbing.close();
      },
      { policies: POLICIES },
    ));

  test('changes need the policy, the argument and the file system', () =>
    withServer(
      kind,
      new MemoryFileSystem(),
      async (env) => {
        await tree(env);
        const cases: [label: string, writeable: boolean | undefined][] = [
          ['reader', undefined],
          ['reader', true],
          ['guest', false],
        ];
        for (const [label, writeable] of cases) {
          const client = await FileSystemClient.connect(env, { label, writeable });
          expect(words(await client.readFile('/file', 99))).toBe('inside');
          const changes = [
            () => client.writeFile('/file', text('x')),
            () => client.open('/file', { mode: 'read-write' }),
            () => client.open('/new', { create: 'new' }),
            () => client.mkdir('/new'),
            () => client.withDirectory('/', (directory) => directory.directory('new', true)),
            () => client.unlink('/file'),
            () => client.rmdir('/deep'),
            () => client.rename('/file', '/g'),
            () => client.link('/file', '/g'),
            () => client.symlink('/g', 'file'),
            () => client.removeAll('/deep'),
            () => client.withFile('/file', {}, (file) => file.setModified(1)),
          ];
          for (const change of changes) expect(await codeOf(change())).toBe('Permission_denied');
          await client.sync();
          await client.close();
        }
      },
      { policies: POLICIES },
    ));

  test('a file system that is mounted read-only stays as it is', () =>
    withClient(kind, new MemoryFileSystem({ writeable: false }), async (client) => {
      expect(await codeOf(client.mkdir('/d'))).toBe('Permission_denied');
    }));

  test('sessions without a policy, without a root, or with malformed arguments are denied', () =>
    withServer(
      kind,
      new MemoryFileSystem(),
      async (env) => {
        await tree(env);
        for (const label of ['stranger', 'lost', 'file']) {
          expect(await codeOf(env.connect(FileSystem, { label }))).toBe('DENIED');
        }
        const malformed = [
          { root: 7 },
          { root: 'in' },
          { root: '/a\0' },
          { root: '/file' },
          { writeable: 'perhaps' },
        ];
        for (const args of malformed) {
          expect(await codeOf(env.connect(FileSystem, { label: 'admin', args }))).toBe('DENIED');
        }
      },
      { policies: POLICIES },
    ));

  test('handles are bounded, before anything is created', () =>
    withClient(
      kind,
      new MemoryFileSystem(),
      async (client) => {
        const directory = await client.openDirectory('/');
        const files = [];
        for (let index = 0; index < 9; index++)
          files.push(await directory.file(`${index}`, 'read-write', true));
        expect(await codeOf(directory.file('9', 'read-write', true))).toBe('Out_of_node_handles');
        expect(await codeOf(client.openDirectory('/', true))).toBe('Out_of_node_handles');
        expect(await directory.numEntries()).toBe(9);
        await files[3]?.close();
        await (await directory.file('9', 'read-write', true)).close();
        const racing = await Promise.allSettled(
          Array.from({ length: 20 }, (_, index) => directory.file(`r${index}`, 'read-only', true)),
        );
        expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        expect(await directory.numEntries()).toBe(11);
      },
      { handlesMax: 10 },
    ));

  test('refuses unknown handles, and handles for something else', () =>
    withServer(kind, new MemoryFileSystem(), async (env) => {
      const session = await env.connect(FileSystem);
      const root = await session.dir('/', false);
      const file = await session.file(root, 'f', 'read-write', true);
      const node = await session.node('/f', false);
      const closed = await session.node('/f', false);
      await session.close(closed);
      const wrong: (() => Promise<unknown>)[] = [
        () => session.status(closed),
        () => session.status(0),
        () => session.status(0xffff_ffff),
        () => session.close(closed),
        () => session.file(file, 'x', 'read-only', false),
        () => session.subdir(node, 'x', false),
        () => session.stat(node, 'x'),
        () => session.numEntries(file),
        () => session.truncate(root, 1),
        () => session.truncate(node, 1),
        () => session.move(root, 'f', file, 'g', 'replace'),
        () => session.link(closed, root, 'x'),
      ];
      for (const call of wrong) expect(await codeOf(call())).toBe('Invalid_handle');
      expect(await codeOf(session.status(-1))).toBe('InvalidArgument');
      expect(await codeOf(session.truncate(file, 1.5))).toBe('InvalidArgument');
      for (const name of ['', '.', '..', 'a/b', 'a\0', new Uint8Array([0x2f])]) {
        expect(await codeOf(session.stat(root, name))).toBe('Invalid_name');
        expect(await codeOf(session.file(root, name, 'read-write', true))).toBe('Invalid_name');
        expect(await codeOf(session.move(root, 'f', root, name, 'replace'))).toBe('Invalid_name');
      }
      expect(await codeOf(session.stat(root, new Uint8Array(256)))).toBe('InvalidArgument');
      expect(await codeOf(session.symlink(root, 'l', ''))).toBe('Invalid_name');
      expect(await session.status(node)).toMatchObject({ type: 'file' });
    }));

  test('malformed packets are answered, each with its error', () =>
    withServer(kind, new MemoryFileSystem(), async (env) => {
      const session = await env.connect(FileSystem);
      const root = await session.dir('/', false);
      const file = await session.file(root, 'f', 'read-write', true);
      const reader = await session.file(root, 'f', 'read-only', false);
      const { read, write, writeTimestamp, readReady, contentChanged } = FILE_SYSTEM_OPERATION;
      const offset = session.tx.allocate(4096);
      const payload = { offset, size: 4096, length: 4096 };
      const requests: [Fields, string][] = [
        [{ operation: 0 }, 'Unsupported'],
        [{ operation: readReady, handle: root }, 'Invalid_handle'],
        [{ operation: contentChanged, handle: file }, 'Unsupported'],
        [{ operation: 0xffff_ffff, handle: file }, 'Unsupported'],
        [{ operation: read, handle: 77, ...payload }, 'Invalid_handle'],
        [{ operation: write, handle: reader, ...payload }, 'Invalid_handle'],
        [{ operation: write, handle: root, ...payload }, 'Invalid_handle'],
        [{ operation: writeTimestamp, handle: 77 }, 'Invalid_handle'],
        [{ operation: read, handle: root, position: 5, ...payload }, 'Invalid_argument'],
        [{ operation: write, handle: file, position: SEEK_TAIL - 1, ...payload }, 'Size_limit_reached'],
        [{ operation: write, handle: file, position: 2 ** 40, ...payload }, 'Size_limit_reached'],
        [{ operation: read, handle: file, position: SEEK_TAIL - 1, ...payload }, ''],
        [{ operation: read, handle: file, position: 0 }, ''],
        [{ operation: read, handle: root, position: 272 * 1_000_000, ...payload }, ''],
        // Wanting more than the payload's size is refused below the server.
        [{ operation: read, handle: file, offset, size: 8, length: 4096 }, 'Input_output'],
      ];
      for (const [fields, expected] of requests) {
        const [answer] = await raw(session, [fields]);
        const code = answer?.status === PACKET_STATUS.ok ? '' : fileSystemError(answer?.status ?? 0);
        expect(code, JSON.stringify(fields)).toBe(expected);
        expect(answer?.length).toBe(0);
      }
      expect(await session.status(file)).toMatchObject({ sizeBytes: 0 });
    }));

  test('a flood of packets is answered to the last; SEEK_TAIL is the end', () =>
    withServer(kind, new MemoryFileSystem(), async (env) => {
      const session = await env.connect(FileSystem);
      const root = await session.dir('/', false);
      const file = await session.file(root, 'f', 'read-write', true);
      const offset = session.tx.allocate(8);
      session.tx.payload(offset, 8).set(text('12345678'));
      const append = { operation: FILE_SYSTEM_OPERATION.write, handle: file, position: SEEK_TAIL };
      const answers = await raw(
        session,
        Array.from({ length: 500 }, () => ({ ...append, offset, size: 8, length: 8 })),
      );
      expect(answers.every(({ status, length }) => status === PACKET_STATUS.ok && length === 8)).toBe(true);
      expect(await session.status(file)).toMatchObject({ sizeBytes: 4000 });
      const tail = { operation: FILE_SYSTEM_OPERATION.read, handle: file, position: SEEK_TAIL };
      const [last] = await raw(session, [{ ...tail, offset, size: 8, length: 3 }]);
      expect(last?.length).toBe(3);
      expect(words(session.tx.payload(offset, 8).slice(0, 3))).toBe('678');
    }));

  test('closing a handle waits for what uses it, closing the session for all', async () => {
    const held: (() => void)[] = [];
    const before = (operation: string): Promise<void> | undefined =>
      operation === 'write' ? new Promise((resolve) => held.push(resolve)) : undefined;
    const backend = new MemoryFileSystem({ faults: { before } });
    await withServer(kind, backend, async (env) => {
      const client = await FileSystemClient.connect(env);
      const file = await client.open('/f', { mode: 'read-write', create: 'new' });
      const writing = file.write(0, text('late'));
      while (held.length === 0) await new Promise(setImmediate);
      await file.close();
      expect(backend.held).toBeGreaterThan(1);
      held.pop()?.();
      await writing;
      // The next one outlives its session.
      const other = await client.open('/g', { mode: 'read-write', create: 'new' });
      const lost = codeOf(other.write(0, text('lost')));
      while (held.length === 0) await new Promise(setImmediate);
      const closed = client.close();
      expect(await lost).toBe('PeerGone');
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      expect(backend.held).toBeGreaterThan(0);
      held.pop()?.();
      await closed;
      expect(backend.held).toBe(0);
      expect(words(backend.root.entries.get('f')?.node.data.slice(0, 4) ?? new Uint8Array())).toBe('late');
    });
  });

  test('an undeclared error of the file system is reported at the server and hidden from the client', () => {
    const before = (operation: string): void => {
      if (operation === 'createFile' || operation === 'read') throw new TypeError('secret');
    };
    return withServer(kind, new MemoryFileSystem({ faults: { before } }), async (env, reports) => {
      const session = await env.connect(FileSystem);
      const root = await session.dir('/', false);
      const error = await session.file(root, 'x', 'read-write', true).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'Input_output', message: 'Input_output' });
      expect(reports).toEqual([new TypeError('secret')]);
    });
  });

  test('a directory with a name that leads elsewhere is corrupt', () => {
    const backend = new MemoryFileSystem();
    return withClient(kind, backend, async (client) => {
      await client.writeFile('/fine', text('x'));
      const fine = backend.root.entries.get('fine');
      if (fine) backend.root.entries.set('../etc', { ...fine, order: 99 });
      const list = async (): Promise<void> => {
        for await (const _entry of client.readdir('/'));
      };
      expect(await codeOf(list())).toBe('Corrupt');
    });
  });
});

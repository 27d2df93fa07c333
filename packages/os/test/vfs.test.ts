/** vfs: what each part shows, how parts lie over each other, and what happens when servers go. */
import { Log, Rom, RomModule, RpcError } from '@ginit/core';
import { type ConfigNode, readXml } from '@ginit/core/config';
import { FileSystemClient } from '@ginit/core/file_system';
import { runComponent, type RunningComponent, script } from '@ginit/core/testing';
import { describe, expect, test } from 'vitest';
import vfs from '../src/vfs/main.ts';

const textOf = (content: Uint8Array): string => new TextDecoder().decode(content);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const configOf = (tree: string): ConfigNode =>
  readXml(`<config><vfs>${tree}</vfs><default-policy root="/" writeable="yes"/></config>`, 'config');

async function clientOf(run: RunningComponent, name = 'client'): Promise<FileSystemClient> {
  const client = await run.client(name);
  return FileSystemClient.connect(
    { connect: (i, o) => client.connect(i, o), close: (s) => client.env.close(s) },
    {},
  );
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
  );

async function namesIn(fs: FileSystemClient, path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of fs.readdir(path)) names.push(name);
  return names;
}

const read = async (fs: FileSystemClient, path: string): Promise<string> =>
  textOf(await fs.readFile(path, 100_000));

describe('directories that lie over each other', () => {
  const TREE = `
    <dir name="d"> <inline name="f">upper</inline> </dir>
    <dir name="d"> <inline name="f">lower</inline> <inline name="g">g</inline> <ram/> </dir>
    <inline name="d">hidden</inline>
    <ram/>`;

  test('the first that has a name wins; listings show each name once', async () => {
    await using run = await runComponent(vfs, { config: configOf(TREE) });
    const fs = await clientOf(run);
    expect(await namesIn(fs, '/')).toEqual(['d']);
    expect(await namesIn(fs, '/d')).toEqual(['f', 'g']);
    expect(await read(fs, '/d/f')).toBe('upper');
    await fs.writeFile('/d/new', bytesOf('x'));
    await fs.writeFile('/top', bytesOf('y'));
    expect(await namesIn(fs, '/d')).toEqual(['f', 'g', 'new']);
    expect(await namesIn(fs, '/')).toEqual(['d', 'top']);
    expect(await codeOf(fs.mkdir('/d'))).toBe('Node_already_exists');
    expect(await codeOf(fs.writeFile('/d/f', bytesOf('z')))).toBe('Permission_denied');
    expect(await codeOf(fs.unlink('/d/g'))).toBe('Permission_denied');
    expect(await codeOf(fs.rmdir('/d'))).toBe('Busy');
    expect(await codeOf(fs.rename('/d/new', '/moved'))).toBe('Cross_device');
    expect(await codeOf(fs.link('/d/new', '/linked'))).toBe('Cross_device');
    await fs.rename('/d/new', '/d/newer');
    expect(await namesIn(fs, '/d')).toEqual(['f', 'g', 'newer']);
    expect(await codeOf(fs.stat('/d/none'))).toBe('Lookup_failed');
  });
});

describe('files of the tree', () => {
  test('null, zero, random and log', async () => {
    const config = configOf(
      '<null/> <zero/> <random name="urandom"/> <log/> <symlink name="l" target="zero"/>',
    );
    await using run = await runComponent(vfs, { config });
    const fs = await clientOf(run);
    expect(await namesIn(fs, '/')).toEqual(['null', 'zero', 'urandom', 'log', 'l']);
    expect(await fs.stat('/zero')).toMatchObject({ type: 'file', unsized: true });
    await fs.withFile('/l', {}, async (file) => {
      const bytes = new Uint8Array(100_000).fill(1);
      expect(await file.read(2 ** 40, bytes)).toBe(bytes.length);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    });
    await fs.withFile('/urandom', {}, async (file) => {
      const bytes = new Uint8Array(200_000);
      expect(await file.read(0, bytes)).toBe(bytes.length);
      expect(new Set(bytes).size).toBe(256);
    });
    await fs.writeFile('/null', bytesOf('gone'));
    await fs.withFile('/null', {}, async (file) => {
      await file.ready();
      expect(await file.readSome(0, new Uint8Array(10))).toBe(0);
    });
    await fs.withFile('/log', { mode: 'write-only' }, async (file) => {
      await file.append(bytesOf('one\ntw'));
      await file.append(bytesOf('o\nrest'));
    });
    await fs.sync();
    expect(run.log).toEqual(['one', 'two', 'rest']);
  });

  test('a ROM module is followed, and those who watch the file hear of it', async () => {
    const module = new RomModule(bytesOf('1'));
    await using run = await runComponent(vfs, {
      config: configOf('<rom name="file" label="module"/>'),
      services: [script(Rom, () => module.open())],
    });
    const fs = await clientOf(run);
    let told = 0;
    await fs.watch('/file', () => told++);
    expect([await read(fs, '/file'), told]).toEqual(['1', 1]);
    module.replace(bytesOf('second'));
    await expect.poll(() => read(fs, '/file')).toBe('second');
    await expect.poll(() => told).toBe(2);
    expect(await codeOf(fs.writeFile('/file', bytesOf('x')))).toBe('Permission_denied');
  });

  test('memory is paid by the quota, and counted once', async () => {
    const config = configOf('<dir name="a"><ram/></dir> <dir name="b"><ram/></dir>');
    await using run = await runComponent(vfs, { config, quota: { ram: 2 ** 21, caps: 200 } });
    const fs = await clientOf(run);
    expect((await fs.space()).freeBytes).toBeLessThan(2 ** 21);
    expect(await codeOf(fs.writeFile('/a/big', new Uint8Array(2 ** 22)))).toBe('No_space');
    await fs.unlink('/a/big');
    await fs.writeFile('/b/f', new Uint8Array(2 ** 19));
  });

  test.each([
    ['<inline name="a/b"/>', 'config:1:'],
    ['<rom name="none"/>', '<rom>: '],
    ['<fs label="none"/>', '<fs>: '],
    ['<tar name="none"/>', '<tar>: '],
    ['<block/>', '<block>: '],
    ['<what/>', 'what'],
  ])('%s that cannot be is refused with its place', async (tree, problem) => {
    const run = await runComponent(vfs, { config: configOf(tree) });
    const { reason } = await run.crashed();
    expect(reason).toContain(problem);
    expect(reason).toContain('config:1:');
    await run.end();
  });

  test('a log with a label is a session of its own', async () => {
    const lines: string[] = [];
    const log = script(Log, ({ label }) => ({
      write: (text) => void lines.push(`${label.last}: ${text}`),
    }));
    await using run = await runComponent(vfs, {
      config: configOf('<log label="files"/>'),
      services: [log],
    });
    const fs = await clientOf(run);
    await fs.withFile('/log', { mode: 'write-only' }, (file) => file.append(bytesOf('hello\n')));
    expect(lines).toEqual(['files: hello']);
  });
});

describe('import', () => {
  test('copies once, and leaves what is there unless told otherwise', async () => {
    const config = configOf(`<ram/>
      <import> <dir name="etc"> <inline name="a">1</inline> <symlink name="l" target="a"/> </dir> </import>
      <import> <dir name="etc"> <inline name="a">2</inline> <inline name="b">2</inline> </dir> </import>
      <import overwrite="yes"> <dir name="etc"> <inline name="b">long three</inline> </dir> </import>`);
    await using run = await runComponent(vfs, { config });
    const fs = await clientOf(run);
    expect((await namesIn(fs, '/etc')).toSorted()).toEqual(['a', 'b', 'l']);
    expect([await read(fs, '/etc/l'), await read(fs, '/etc/b')]).toEqual(['1', 'long three']);
    await fs.writeFile('/etc/a', bytesOf('changed'));
    expect(await read(fs, '/etc/a')).toBe('changed');
  });

  test('into what cannot be written is refused with its place', async () => {
    const run = await runComponent(vfs, {
      config: configOf('<import> <inline name="a">1</inline> </import>'),
    });
    expect((await run.crashed()).reason).toMatch(/config:1:\d+: <import>: "\/a": Permission_denied/);
    await run.end();
  });
});

test('a newer config keeps what is open in parts that stay, and leaves all if it cannot be', async () => {
  await using run = await runComponent(vfs, { config: configOf('<dir name="a"><ram/></dir> <zero/>') });
  const fs = await clientOf(run);
  const file = await fs.open('/a/f', { mode: 'read-write', create: 'new' });
  await file.write(0, bytesOf('kept'));
  const zero = await fs.open('/zero');
  let told = 0;
  await fs.watch('/', () => told++);
  await run.configure(configOf('<inline name="n">new</inline> <dir name="b"><ram/></dir>'));
  await expect.poll(() => namesIn(fs, '/')).toEqual(['n', 'b']);
  expect(told).toBeGreaterThan(1);
  expect(await read(fs, '/b/f')).toBe('kept');
  await file.write(0, bytesOf('K'));
  expect(await read(fs, '/b/f')).toBe('Kept');
  expect(await codeOf(zero.read(0, new Uint8Array(1)))).toBe('Unavailable');
  // Memory that is not in the tree any more is given back.
  await fs.writeFile('/b/big', new Uint8Array(2 ** 20));
  const full = await run.account();
  await run.configure(configOf('<inline name="n">new</inline>'));
  await expect.poll(() => namesIn(fs, '/')).toEqual(['n']);
  expect(full.ramUsed - (await run.account()).ramUsed).toBeGreaterThan(2 ** 20);
  expect(await codeOf(file.read(0, new Uint8Array(1)))).toBe('Unavailable');
  await file.close();
  await run.configure(configOf('<rom name="none"/>'));
  await expect.poll(() => run.log.join()).toContain('the tree stays as it was');
  expect(await namesIn(fs, '/')).toEqual(['n']);
});

/** ram_fs: what its config puts into it, who sees which part of it, and what it costs. */
import { Rom, RomModule, RpcError } from '@ginit/core';
import { ConfigNode } from '@ginit/core/config';
import { FileSystemClient } from '@ginit/core/file_system';
import { type ConfigObject, runComponent, type RunningComponent, script } from '@ginit/core/testing';
import { describe, expect, test } from 'vitest';
import ramFs from '../src/ram_fs/main.ts';

const ALL: ConfigObject = { 'default-policy': { root: '/', writeable: true } };
const textOf = (content: Uint8Array): string => new TextDecoder().decode(content);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function clientOf(run: RunningComponent, name = 'client', label = ''): Promise<FileSystemClient> {
  const client = await run.client(name);
  return FileSystemClient.connect(
    { connect: (i, o) => client.connect(i, o), close: (s) => client.env.close(s) },
    { label },
  );
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
  );

async function namesIn(fs: FileSystemClient, path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, type } of fs.readdir(path)) names.push(`${type} ${name}`);
  return names.toSorted();
}

describe('the content of the config', () => {
  const rom = script(Rom, ({ label }) => new RomModule(bytesOf(`rom ${label.last}`)).open());

  test('is there from the start: files of texts, of elements, of ROM modules, directories and links', async () => {
    const content = ConfigNode.make('content', {}, [
      ConfigNode.make('inline', { name: 'greeting' }, 'hello\n'),
      ConfigNode.make('inline', { name: 'config' }, [
        ConfigNode.make('config', { a: 1 }, [ConfigNode.make('b')]),
      ]),
      ConfigNode.make('inline', { name: 'empty' }),
      ConfigNode.make('rom', { name: 'image' }),
      ConfigNode.make('dir', { name: 'etc' }, [
        ConfigNode.make('rom', { name: 'init.conf', as: 'conf' }),
        ConfigNode.make('symlink', { name: 'link', target: '/greeting' }),
        ConfigNode.make('dir', { name: 'deep' }),
      ]),
    ]);
    const policy = ConfigNode.make('default-policy', { writeable: true });
    const config = ConfigNode.make('config', {}, [content, policy]);
    await using run = await runComponent(ramFs, { config, services: [rom] });
    const fs = await clientOf(run);
    const read = async (path: string): Promise<string> => textOf(await fs.readFile(path, 10_000));
    expect(await namesIn(fs, '/')).toEqual([
      'directory etc',
      'file config',
      'file empty',
      'file greeting',
      'file image',
    ]);
    expect(await namesIn(fs, '/etc')).toEqual(['directory deep', 'file conf', 'symlink link']);
    expect(await read('/greeting')).toBe('hello\n');
    expect(await read('/config')).toBe('<config a="1">\n  <b/>\n</config>\n');
    expect(await read('/empty')).toBe('');
    expect(await read('/image')).toBe('rom image');
    expect(await read('/etc/conf')).toBe('rom init.conf');
    expect(await read('/etc/link')).toBe('hello\n');
  });

  test.each<[string, ConfigObject, string]>([
    ['a name with a slash', { inline: { name: 'a/b' } }, '"a/b" is no name of a file'],
    ['the name ..', { dir: { name: '..' } }, '".." is no name of a file'],
    ['a name twice', { inline: [{ name: 'a' }, { name: 'a' }] }, '<inline>: Node_already_exists'],
    ['a module that is not there', { rom: { name: 'none' } }, '<rom>: there is no ROM module "none"'],
    ['more than the quota', { inline: { name: 'a', $text: 'x'.repeat(2 ** 20) } }, '<inline>: '],
    [
      'elements beside a text',
      { inline: { name: 'a', $text: 'x', b: {} } },
      'holds elements or a text, not both',
    ],
  ])('that has %s is refused with its place', async (_, content, problem) => {
    const none = script(Rom, () => new RomModule().open());
    const run = await runComponent(ramFs, {
      config: { ...ALL, content },
      services: [none],
      quota: { ram: 2 ** 19, caps: 100 },
    });
    expect((await run.crashed()).reason).toContain(problem);
    await run.end();
  });
});

describe('policies', () => {
  test('say which directory a session sees, and whether it may write', async () => {
    const config = {
      content: { dir: [{ name: 'a', inline: { name: 'f', $text: '1' } }, { name: 'b' }] },
      policy: [
        { label_prefix: 'reader', root: '/a' },
        { label_prefix: 'writer', root: '/b', writeable: true },
        { label_prefix: 'lost', root: '/none' },
      ],
    };
    await using run = await runComponent(ramFs, { config });
    const reader = await clientOf(run, 'reader');
    expect(await namesIn(reader, '/')).toEqual(['file f']);
    expect(await namesIn(reader, '/..')).toEqual(['file f']);
    expect(await codeOf(reader.writeFile('/f', bytesOf('2')))).toBe('Permission_denied');
    const writer = await clientOf(run, 'writer');
    await writer.writeFile('/f', bytesOf('2'));
    expect(await namesIn(writer, '/')).toEqual(['file f']);
    await expect(clientOf(run, 'stranger')).rejects.toThrow('no policy defined for label "stranger"');
    await expect(clientOf(run, 'lost')).rejects.toThrow('root "/none": Lookup_failed');
  });
});

describe('memory', () => {
  test('is what the quota pays for: a full file system takes no more, and gives back what is removed', async () => {
    await using run = await runComponent(ramFs, { config: ALL, quota: { ram: 2 ** 20, caps: 100 } });
    const fs = await clientOf(run);
    // The clock is a session, which is opened with the first change.
    await fs.mkdir('/first');
    const { freeBytes } = await fs.space();
    expect(freeBytes).toBeGreaterThan(2 ** 19);
    expect(await codeOf(fs.writeFile('/big', new Uint8Array(2 ** 20)))).toBe('No_space');
    const { sizeBytes } = await fs.stat('/big');
    expect(sizeBytes).toBeGreaterThan(2 ** 18);
    // A hole takes no memory, and what is there already can be written again.
    await fs.truncate('/big', 2 ** 30);
    await fs.withFile('/big', { mode: 'write-only' }, (file) => file.write(0, new Uint8Array(4096)));
    for (let n = 0; n < 20; n++) {
      await fs.unlink('/big');
      await fs.writeFile('/big', new Uint8Array(2 ** 18));
    }
    await fs.unlink('/big');
    expect((await fs.space()).freeBytes).toBe(freeBytes);
  });

  test('of a file that was removed comes back when it is closed', async () => {
    await using run = await runComponent(ramFs, { config: ALL });
    const fs = await clientOf(run);
    // The clock is a session, which is opened with the first change.
    await fs.mkdir('/first');
    const { freeBytes } = await fs.space();
    const file = await fs.open('/f', { mode: 'read-write', create: 'new' });
    await file.write(0, new Uint8Array(100_000).fill(7));
    await fs.unlink('/f');
    const back = new Uint8Array(10);
    expect(await file.read(99_995, back)).toBe(5);
    expect(back.subarray(0, 5)).toEqual(new Uint8Array(5).fill(7));
    expect((await fs.space()).freeBytes).toBeLessThan(freeBytes);
    await file.close();
    expect((await fs.space()).freeBytes).toBe(freeBytes);
  });

  test('grows with the quota, and takes few capabilities for that', async () => {
    await using run = await runComponent(ramFs, { config: ALL, quota: { ram: 2 ** 26, caps: 60 } });
    const fs = await clientOf(run);
    const before = await run.account();
    for (let n = 0; n < 40; n++) await fs.writeFile(`/f${n}`, new Uint8Array(2 ** 20));
    const after = await run.account();
    expect(after.ramUsed).toBeGreaterThan(40 * 2 ** 20);
    expect(after.capUsed - before.capUsed).toBeLessThan(20);
  });
});

describe('names', () => {
  test('are made, listed, renamed, linked and removed as in POSIX', async () => {
    await using run = await runComponent(ramFs, { config: ALL });
    const fs = await clientOf(run);
    await fs.mkdir('/d');
    await fs.mkdir('/d/e');
    await fs.writeFile('/d/f', bytesOf('f'));
    expect(await codeOf(fs.mkdir('/d'))).toBe('Node_already_exists');
    expect(await codeOf(fs.rmdir('/d'))).toBe('Not_empty');
    expect(await codeOf(fs.unlink('/d'))).toBe('Is_a_directory');
    expect(await codeOf(fs.rmdir('/d/f'))).toBe('Not_a_directory');
    expect(await codeOf(fs.rename('/d', '/d/e/x'))).toBe('Invalid_argument');
    expect(await codeOf(fs.rename('/d/f', '/d/e'))).toBe('Is_a_directory');
    expect(await codeOf(fs.rename('/d/e', '/d/f'))).toBe('Not_a_directory');
    await fs.link('/d/f', '/g');
    expect((await fs.stat('/g')).links).toBe(2);
    await fs.writeFile('/new', bytesOf('new'));
    await fs.rename('/new', '/d/f');
    expect(textOf(await fs.readFile('/d/f', 10))).toBe('new');
    expect([(await fs.stat('/g')).links, textOf(await fs.readFile('/g', 10))]).toEqual([1, 'f']);
    await fs.rename('/d/e', '/e');
    expect((await fs.stat('/d')).links).toBe(2);
    await fs.removeAll('/d');
    expect(await namesIn(fs, '/')).toEqual(['directory e', 'file g']);
  });

  test('of a directory are all listed, each once, while others come and go', async () => {
    await using run = await runComponent(ramFs, { config: ALL });
    const fs = await clientOf(run);
    await fs.mkdir('/d');
    for (let n = 0; n < 700; n++) await fs.writeFile(`/d/f${n}`, new Uint8Array(0));
    const seen: string[] = [];
    for await (const { name } of fs.readdir('/d')) {
      seen.push(name);
      const n = seen.length;
      if (n % 50 === 0) {
        await fs.unlink(`/d/f${n - 50}`);
        await fs.rename(`/d/f${n - 49}`, `/d/moved${n}`);
      }
    }
    const stayed = Array.from({ length: 700 }, (_, n) => `f${n}`).filter((_, n) => n % 50 > 1);
    expect(new Set(seen).size).toBe(seen.length);
    for (const name of stayed) expect(seen).toContain(name);
  });
});

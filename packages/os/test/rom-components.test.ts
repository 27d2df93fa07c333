/** dynamic_rom, rom_filter, fs_rom, host_rom and report_log, each by itself. */
import { type Env, Rom, RomClient, RomModule, RpcError, SessionError } from '@ginit/core';
import { ConfigNode, readXml } from '@ginit/core/config';
import { FileSystemClient } from '@ginit/core/file_system';
import type { HostDirectory, HostFile } from '@ginit/core/host';
import type { HostPlatform } from '@ginit/core/platform';
import { Reporter } from '@ginit/core/report';
import { runComponent, type RunningComponent, script } from '@ginit/core/testing';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../core/test/file-system-memory.ts';
import { withServer } from '../../core/test/file-system-system.ts';
import dynamicRom from '../src/dynamic_rom/main.ts';
import { FollowedFile } from '../src/fs_rom/followed-file.ts';
import hostRom from '../src/host_rom/main.ts';
import reportLog from '../src/report_log/main.ts';
import romFilter from '../src/rom_filter/main.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const xml = (text: string): ConfigNode => readXml(text, 'config.xml');

/** A client that reads a ROM, and counts how often it was woken since it last looked. */
async function readerOf(run: RunningComponent, label: string, name = 'reader') {
  const client = await run.client(name);
  const session = await client.connect(Rom, { label });
  const rom = new RomClient(session);
  let wakings = 0;
  await rom.onChange(client.env.signal(() => void wakings++));
  const read = async (): Promise<string | undefined> => {
    const content = await rom.content();
    return content && new TextDecoder().decode(content);
  };
  return {
    read,
    /** Whether it was woken, and what is there then. */
    news: async (): Promise<[boolean, string | undefined]> => {
      await run.settle();
      const woken = wakings > 0;
      wakings = 0;
      return [woken, await read()];
    },
    close: async () => void (await client.env.close(session)),
  };
}

const refusalOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? `${error.code}: ${error.message}` : String(error)),
  );

describe('dynamic_rom', () => {
  const CONFIG = `<config verbose="yes">
    <rom name="state">
      <inline description="first"><config a="1"> <b/> </config></inline>
      <sleep milliseconds="100"/>
      <empty/>
      <sleep milliseconds="50"/>
      <inline description="text">second</inline>
      <sleep milliseconds="100"/>
    </rom>
  </config>`;

  test('does the steps of a module in their order, again and again, for each session from its beginning', async () => {
    await using run = await runComponent(dynamicRom, { config: xml(CONFIG) });
    const reader = await readerOf(run, 'state');
    const first = '<config a="1">\n  <b/>\n</config>\n';
    expect(await reader.news()).toEqual([false, first]);
    await run.advance(100);
    expect(await reader.news()).toEqual([true, undefined]);
    const late = await readerOf(run, 'state', 'late');
    expect(await late.news()).toEqual([false, first]);
    await run.advance(50);
    expect([await reader.news(), await late.news()]).toEqual([
      [true, 'second'],
      [false, first],
    ]);
    await run.advance(100);
    expect(await reader.news()).toEqual([true, first]);
    expect(run.log.slice(0, 2)).toEqual(['state: change (first)', 'state: sleep 100 milliseconds']);
    await reader.close();
    await late.close();
    const lines = run.log.length;
    await run.advance(10_000);
    expect(run.log.length).toBe(lines);
  });

  test('a client keeps what it has read until it asks again', async () => {
    await using run = await runComponent(dynamicRom, { config: xml(CONFIG) });
    const client = await run.client('reader');
    const session = await client.connect(Rom, { label: 'state' });
    const before = await session.dataspace();
    await run.advance(100);
    expect(new TextDecoder().decode(before?.copyContent())).toContain('<b/>');
    expect([await session.update(), await session.dataspace(), await session.update()]).toEqual([
      true,
      null,
      false,
    ]);
  });

  test('denies a module that is not in its config', async () => {
    await using run = await runComponent(dynamicRom, { config: xml(CONFIG) });
    expect(await refusalOf(run.connect(Rom, { label: 'other' }))).toContain('there is no ROM module "other"');
  });

  test.each([
    ['<rom name="x"> <inline>a</inline> </rom>', 'config.xml:1:9: <rom> needs a <sleep>'],
    ['<rom name="x"> <sleep milliseconds="0"/> </rom>', 'is "0", which is less than 1'],
    ['<rom> <sleep milliseconds="1"/> </rom>', '<rom> needs an attribute "name"'],
  ])('a timetable that cannot be is refused with its place: %s', async (rom, problem) => {
    const run = await runComponent(dynamicRom, { config: xml(`<config>${rom}</config>`) });
    expect((await run.crashed()).reason).toContain(problem);
    await run.end();
  });
});

describe('rom_filter', () => {
  /** ROM modules of the test, by their labels. */
  function romsOf(contents: Record<string, string | undefined>) {
    const modules = new Map(
      Object.entries(contents).map(([label, text]) => [
        label,
        new RomModule(text === undefined ? undefined : bytesOf(text)),
      ]),
    );
    const service = script(Rom, ({ label }) => {
      const module = modules.get(label.last);
      if (!module) throw new SessionError('DENIED', `no module "${label.last}"`);
      return module.open();
    });
    return {
      service,
      set: (label: string, text: string | undefined) =>
        modules.get(label)?.replace(text === undefined ? undefined : bytesOf(text)),
    };
  }

  const CONFIG = `<config>
    <input name="enabled" rom="switch" node="switch" default="no"> <attribute name="enabled"/> </input>
    <input name="width" rom="screens" node="screens"> <node type="screen" attribute="name" value="b"> <attribute name="width"/> </node> </input>
    <input name="screens"/>
    <input name="title" rom="screens" node="screens"> <node type="title"/> </input>
    <output node="config">
      <attribute name="fixed" value="1"/>
      <attribute name="width" input="width"/>
      <inline> <library/> </inline>
      <if> <has_value input="enabled" value="yes"/>
        <then> <node type="on"> <attribute name="title" input="title"/> </node> </then>
        <else> <node type="off"/> </else> </if>
      <node type="copy"> <input name="screens" skip_toplevel="yes"/> </node>
    </output>
  </config>`;
  const flat = (text: string | undefined): string | undefined => text?.replaceAll(/\n\s*/g, '');

  test('makes its output of the values of its inputs, and anew with each change of one of them', async () => {
    const roms = romsOf({ switch: undefined, screens: undefined });
    await using run = await runComponent(romFilter, { config: xml(CONFIG), services: [roms.service] });
    const reader = await readerOf(run, 'any');
    expect(flat(await reader.read())).toBe('<config fixed="1"><library/><off/><copy/></config>');
    roms.set(
      'screens',
      '<screens><screen name="a" width="1"/><screen name="b" width="2"/><title> Main </title></screens>',
    );
    expect((await reader.news()).map((part) => (typeof part === 'string' ? flat(part) : part))).toEqual([
      true,
      '<config fixed="1" width="2"><library/><off/><copy><screen name="a" width="1"/><screen name="b" width="2"/><title> Main </title></copy></config>',
    ]);
    // HID is as good as XML.
    roms.set('switch', 'switch | enabled: yes\n-\n');
    expect(flat((await reader.news())[1])).toContain('<library/><on title="Main"/>');
    roms.set('screens', undefined);
    expect(flat((await reader.news())[1])).toBe('<config fixed="1"><library/><on/><copy/></config>');
  });

  test('wakes nobody for a change that changes nothing in its output', async () => {
    const roms = romsOf({ switch: '<switch enabled="no"/>', screens: '<screens/>' });
    await using run = await runComponent(romFilter, { config: xml(CONFIG), services: [roms.service] });
    const reader = await readerOf(run, 'any');
    await reader.news();
    roms.set('switch', '<switch enabled="no" more="1"/>');
    expect((await reader.news())[0]).toBe(false);
    roms.set('switch', '<switch enabled="yes"/>');
    expect((await reader.news())[0]).toBe(true);
  });

  test('goes on without an input that is broken, of another type, or denied; and says so', async () => {
    const roms = romsOf({ switch: '<switch enabled="yes"', screens: '<other/>' });
    const config = CONFIG.replace('<output', '<input name="missing"/> <output');
    await using run = await runComponent(romFilter, { config: xml(config), services: [roms.service] });
    const reader = await readerOf(run, 'any');
    expect(flat(await reader.read())).toBe('<config fixed="1"><library/><off/><copy/></config>');
    expect(run.log.join('\n')).toMatch(/Warning: no input from ROM module "switch": switch:1:1: /);
    expect(run.log.join('\n')).toContain('no input from ROM module "missing"');
    roms.set('switch', '<switch enabled="yes"/>');
    expect(flat((await reader.news())[1])).toContain('<on/>');
  });

  test('follows its own config: other inputs, another output', async () => {
    const roms = romsOf({ switch: '<switch enabled="yes"/>', screens: '<screens/>' });
    await using run = await runComponent(romFilter, { config: xml(CONFIG), services: [roms.service] });
    const reader = await readerOf(run, 'any');
    await reader.news();
    await run.configure(
      xml(
        '<config> <input name="s" rom="switch" node="switch"/> <output node="x"> <input name="s"/> </output> </config>',
      ),
    );
    const [woken, content] = await reader.news();
    expect([woken, flat(content)]).toEqual([true, '<x><switch enabled="yes"/></x>']);
    expect((await run.end()).openSessions.filter(({ service }) => service === 'ROM').length).toBe(1);
  });

  test.each([
    ['<input/>', '<input> needs an attribute "name"'],
    ['<output/>', '<output> needs an attribute "node"'],
    ['<output node="x"> <if> <then/> </if> </output>', '<if> needs a <has_value>'],
    ['<output node="x"> <nod type="y"/> </output>', 'did you mean <node>?'],
  ])('a config that cannot be is refused with its place: %s', async (text, problem) => {
    const run = await runComponent(romFilter, { config: xml(`<config>${text}</config>`) });
    expect((await run.crashed()).reason).toContain(problem);
    await run.end();
  });
});

describe('fs_rom', () => {
  /** Follows `path` on a file system to which `writer` writes. */
  const following = (
    path: string,
    body: (
      shows: (text: string | undefined) => Promise<void>,
      writer: FileSystemClient,
      env: Env,
    ) => Promise<void>,
  ): Promise<void> =>
    withServer('shared', new MemoryFileSystem(), async (env) => {
      const [writer, reader] = await Promise.all([
        FileSystemClient.connect(env),
        FileSystemClient.connect(env),
      ]);
      const warnings: string[] = [];
      const warning = async (text: string): Promise<void> => void warnings.push(text);
      const file = new FollowedFile({ pd: env.pd, ram: env.ram, warning }, reader, path);
      await file.look();
      const rom = file.rom.open();
      const content = async (): Promise<string | undefined> => {
        const dataspace = await rom.dataspace();
        return dataspace ? new TextDecoder().decode(dataspace.copyContent()) : undefined;
      };
      /** Waits until the module is like that; word of the change has a way to go. */
      const shows = async (text: string | undefined): Promise<void> => {
        for (let round = 0; round < 1000 && (await content()) !== text; round++) await writer.sync();
        expect(await content()).toBe(text);
      };
      await body(shows, writer, env);
      expect(warnings).toEqual([]);
      await file.close();
      await Promise.all([writer.close(), reader.close()]);
    });

  test('a file that is written, replaced by another, removed and made again is followed', () =>
    following('/config', async (shows, writer) => {
      await shows(undefined);
      await writer.writeFile('/config', bytesOf('one'));
      await shows('one');
      await writer.writeFile('/config', bytesOf('two'));
      await shows('two');
      await writer.writeFile('/config.new', bytesOf('three'));
      await writer.rename('/config.new', '/config');
      await shows('three');
      // The file that has the name now is the one that is followed.
      await writer.writeFile('/config', bytesOf('four'));
      await shows('four');
      await writer.unlink('/config');
      await shows(undefined);
      await writer.writeFile('/config', bytesOf('five'));
      await shows('five');
    }));

  test('directories on the way may come later, and be replaced', () =>
    following('/a/b/config', async (shows, writer) => {
      await writer.mkdir('/a');
      await shows(undefined);
      await writer.mkdir('/a/b');
      await writer.writeFile('/a/b/config', bytesOf('one'));
      await shows('one');
      await writer.mkdir('/a/new');
      await writer.writeFile('/a/new/config', bytesOf('two'));
      await writer.removeAll('/a/b');
      await shows(undefined);
      await writer.rename('/a/new', '/a/b');
      await shows('two');
    }));

  test('a change shows when whoever makes it has closed the file', () =>
    following('/config', async (shows, writer) => {
      /** Time for word of all changes so far. */
      const quiet = async (): Promise<void> => {
        for (let round = 0; round < 100; round++) await writer.stat('/');
      };
      await writer.writeFile('/config', bytesOf('old'));
      await shows('old');
      await quiet();
      const file = await writer.open('/config', { mode: 'read-write' });
      await file.truncate(0);
      await file.write(0, bytesOf('half'));
      await quiet();
      await shows('old');
      await file.write(4, bytesOf(', whole'));
      await file.close();
      await shows('half, whole');
    }));

  test('the memory of the content is charged, and given back with the last reader', () =>
    following('/config', async (shows, writer, env) => {
      const before = await env.quota();
      await writer.writeFile('/config', new Uint8Array(100_000).fill(65));
      await shows('A'.repeat(100_000));
      const during = await env.quota();
      expect(during.ramUsed - before.ramUsed).toBe(100_000);
      await writer.unlink('/config');
      await shows(undefined);
      expect((await env.quota()).ramUsed).toBe(before.ramUsed);
    }));
});

describe('report_log', () => {
  test('logs every report with its label', async () => {
    await using run = await runComponent(reportLog);
    const client = await run.client('client');
    const reporter = new Reporter(
      { connect: (i, o) => client.connect(i, o), close: (s) => client.env.close(s) },
      'state',
    );
    await reporter.report(ConfigNode.make('state', {}, [ConfigNode.make('ram', { avail: '1M' })]));
    await run.settle();
    expect(run.log).toEqual(['report "client -> state"', '  <state>', '    <ram avail="1M"/>', '  </state>']);
    await reporter.disable();
  });
});

describe('host_rom', () => {
  /** A directory and a file of the host, which are plain objects of the test. */
  function hostOf(files: Map<string, string>) {
    let clock = 1;
    const times = new Map<string, number>();
    const fileOf = (name: string): HostFile => {
      const text = files.get(name);
      if (text === undefined) throw new RpcError('NotFound', `"${name}" is not there`);
      const content = bytesOf(text);
      return {
        writeable: false,
        sizeBytes: content.length,
        read: async (into, position) => into.set(content.subarray(position, position + into.length)),
        write: async () => expect.unreachable(),
        size: async () => content.length,
        onResized: () => () => {},
        sync: async () => {},
        zero: async () => expect.unreachable(),
        discard: async () => expect.unreachable(),
        resize: async () => expect.unreachable(),
        close: async () => {},
      };
    };
    const directory: HostDirectory = {
      writeable: false,
      list: async () => [],
      status: async (name) => {
        const { sizeBytes } = fileOf(name);
        return { kind: 'file', sizeBytes, modifiedMs: times.get(name) ?? 0 };
      },
      openFile: async (name) => fileOf(name),
      makeDirectory: async () => expect.unreachable(),
      remove: async () => expect.unreachable(),
      rename: async () => expect.unreachable(),
      close: async () => {},
    };
    const refuse = async (): Promise<never> => expect.unreachable();
    const platform: HostPlatform = {
      openFile: async ({ path }) => fileOf(path),
      openDirectory: async () => directory,
      openDevice: refuse,
      listen: refuse,
      connect: refuse,
      run: refuse,
      workplace: refuse,
      mount: refuse,
    };
    const grants = [
      { kind: 'directory', path: 'roms', access: 'ro' },
      { kind: 'file', path: 'a.xml', access: 'ro' },
    ] as const;
    const write = (name: string, text: string | undefined): void => {
      if (text === undefined) files.delete(name);
      else files.set(name, text);
      times.set(name, clock++);
    };
    return { host: { grants, platform }, write };
  }

  test.each([
    ['in a granted directory', { directory: 'roms' }, 'module'],
    ['granted by itself', { rom: [{ name: 'module', file: 'a.xml' }] }, 'a.xml'],
  ])('a file %s is a module that follows its changes, once it has been quiet', async (_, config, file) => {
    const { host, write } = hostOf(new Map([[file, 'one']]));
    await using run = await runComponent(hostRom, { config: { ...config, interval_ms: 100 }, host });
    const reader = await readerOf(run, 'module');
    expect(await reader.news()).toEqual([false, 'one']);
    await run.advance(1000);
    expect(await reader.news()).toEqual([false, 'one']);
    write(file, 'two, half');
    await run.advance(100);
    write(file, 'two, whole');
    await run.advance(100);
    expect(await reader.news()).toEqual([false, 'one']);
    await run.advance(100);
    expect(await reader.news()).toEqual([true, 'two, whole']);
    write(file, undefined);
    await run.advance(200);
    expect(await reader.news()).toEqual([true, undefined]);
    write(file, 'three');
    await run.advance(200);
    expect(await reader.news()).toEqual([true, 'three']);
  });

  test('denies what it does not have, and names a directory that is not granted', async () => {
    const { host } = hostOf(new Map());
    await using run = await runComponent(hostRom, { config: { rom: [{ name: 'a' }] }, host });
    expect(await refusalOf(run.connect(Rom, { label: 'b' }))).toContain('there is no ROM module "b"');
    const wrong = await runComponent(hostRom, { config: { directory: 'elsewhere' }, host });
    expect((await wrong.crashed()).reason).toContain('elsewhere');
    await wrong.end();
  });
});

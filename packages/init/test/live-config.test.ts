/**
 * The live config: which changes of files are told, once each; what is applied, and what is
 * refused.
 */
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { readNode } from '@ginit/core/config';
import type { SystemConfig } from '@ginit/core/supervisor';
import { afterEach, assert, beforeEach, describe, expect, test } from 'vitest';
import { Binaries } from '../src/command/binaries.ts';
import type { CheckedConfig } from '../src/command/checked-config.ts';
import { ComponentImports } from '../src/command/component-imports.ts';
import { endFromOutside } from '../src/command/endings.ts';
import { GrantTargets } from '../src/command/grant-targets.ts';
import { Launcher } from '../src/command/launcher.ts';
import { freeOfErrors, LiveConfig } from '../src/command/live-config.ts';
import { Output } from '../src/command/output.ts';
import { directoriesOf, FilesWatch } from '../src/command/watch/files-watch.ts';
import { readInitConfig } from '../src/model/index.ts';

const TIMES = { quietMs: 40, pollMs: 60_000 };
/** Longer than a change takes to be told, so that one that is told twice is noticed. */
const AFTER_MS = 200;

let directory: string;
const closing: { close(): void }[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-live-'));
});
afterEach(() => {
  for (const one of closing.splice(0)) one.close();
  rmSync(directory, { recursive: true, force: true });
});

const at = (...names: string[]): string => join(directory, ...names);
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
async function until(what: () => boolean): Promise<void> {
  while (!what()) await later(5);
}

/** Watches a file; the result lists what was told. */
function watched(file: string, times = TIMES): (readonly string[])[] {
  const told: (readonly string[])[] = [];
  const watch = new FilesWatch((files) => void told.push(files), times);
  closing.push(watch);
  watch.set([file]);
  return told;
}

describe('watching', () => {
  test.each<[string, (file: string) => void | Promise<void>]>([
    ['a write in place', (file) => writeFileSync(file, 'two')],
    [
      'a file that is renamed over it',
      (file) => {
        writeFileSync(`${file}.new`, 'two');
        renameSync(`${file}.new`, file);
      },
    ],
    [
      'a swapped symbolic link',
      (file) => {
        writeFileSync(at('other'), 'two');
        unlinkSync(file);
        symlinkSync('other', file);
      },
    ],
    [
      'a file that is deleted and made anew',
      (file) => {
        unlinkSync(file);
        writeFileSync(file, 'two');
      },
    ],
    [
      'a file that is written in many pieces',
      async (file) => {
        for (let piece = 0; piece < 10; piece++) {
          writeFileSync(file, `${piece}`, { flag: 'a' });
          // A timer may take longer than the quiet moment on a busy machine.
          await new Promise(setImmediate);
        }
      },
    ],
  ])('%s is told exactly once', async (_, change) => {
    const file = at('config.xml');
    writeFileSync(file, 'one');
    const told = watched(file);
    await change(file);
    await until(() => told.length > 0);
    await later(AFTER_MS);
    expect(told).toEqual([[file]]);
  });

  test('a link far up on the way is seen to be swapped, as a Kubernetes volume does it', async () => {
    for (const [version, text] of [
      ['v1', 'one'],
      ['v2', 'two'],
    ] as const) {
      mkdirSync(at('volume', version), { recursive: true });
      writeFileSync(at('volume', version, 'config.xml'), text);
    }
    symlinkSync('v1', at('volume', '..data'));
    symlinkSync('..data/config.xml', at('volume', 'config.xml'));
    expect(directoriesOf(at('volume', 'config.xml')).toSorted()).toEqual([at('volume'), at('volume', 'v1')]);
    const told = watched(at('volume', 'config.xml'));
    symlinkSync('v2', at('volume', '..new'));
    renameSync(at('volume', '..new'), at('volume', '..data'));
    await until(() => told.length > 0);
    writeFileSync(at('volume', 'v1', 'config.xml'), 'nobody looks here any more');
    await later(AFTER_MS);
    expect(told).toHaveLength(1);
  });

  test('other files of the directory are no change, and the slow poll sees what no event tells', async () => {
    const file = at('config.xml');
    writeFileSync(file, 'one');
    const told = watched(file, { quietMs: 10, pollMs: 20 });
    writeFileSync(at('other'), 'x');
    await later(AFTER_MS);
    expect(told).toEqual([]);
    // A directory that is moved away and comes back has no watch that could tell of it.
    renameSync(directory, `${directory}-moved`);
    mkdirSync(directory);
    writeFileSync(file, 'two, elsewhere');
    await until(() => told.length > 0);
    rmSync(`${directory}-moved`, { recursive: true });
  });

  test('a circle of links is a file that is missing', async () => {
    symlinkSync('b', at('a'));
    symlinkSync('a', at('b'));
    const told = watched(at('a'));
    unlinkSync(at('b'));
    writeFileSync(at('b'), 'there');
    await until(() => told.length > 0);
    expect(told).toEqual([[at('a')]]);
  });
});

const configText = (name: string, attribute = ''): string =>
  `<config> <start name="${name}" ram="1M" caps="100" ${attribute}> <binary name="./code.mjs"/> </start> </config>`;

/** A live config whose check looks at the form only, with what it has done. */
function liveConfig(code = false, times = TIMES) {
  const file = at('config.xml');
  const lines: string[] = [];
  const applied: SystemConfig[] = [];
  const restarted: string[] = [];
  const check = async (source: Uint8Array): Promise<CheckedConfig> => {
    const failed = {
      source,
      node: undefined,
      config: undefined,
      warnings: [],
      manifests: new Map(),
      lack: undefined,
    };
    const known = { imports: new ComponentImports(directory), targets: new GrantTargets(directory) };
    const moduleUrl = pathToFileURL(at('code.mjs')).href;
    const binary = code
      ? known.imports.binary(moduleUrl)
      : { moduleUrl, files: [at('code.mjs')], takes: 'nothing' as const };
    const binaries = { byName: new Map([['./code.mjs', binary]]), trusted: new Map(), absent: [] };
    try {
      const node = readNode(source, { name: 'config.xml' });
      const { config, errors } = readInitConfig(node);
      return { ...failed, ...known, binaries, node, config, errors: errors.map(({ message }) => message) };
    } catch (error) {
      return { ...failed, ...known, binaries, errors: [error instanceof Error ? error.message : ''] };
    }
  };
  const start = async (text: string): Promise<LiveConfig> => {
    writeFileSync(file, text);
    const first = freeOfErrors(await check(Buffer.from(text)));
    if (!first) throw new Error('the first config is sound');
    const supervisor = {
      reconfigure: (config: SystemConfig) => void applied.push(config),
      act: async (_: string, label: string) => {
        restarted.push(label);
        return undefined;
      },
    };
    const output = {
      say: (line: string) => void lines.push(line),
      plain: (line: string) => void lines.push(line),
    };
    const live = new LiveConfig({ file, check, supervisor, output, code, times }, first);
    closing.push(live);
    return live;
  };
  return { file, lines, applied, restarted, start };
}

describe('applying', () => {
  test('a new version is applied once; a broken one is refused with its place, and the old one runs on', async () => {
    const { file, lines, applied, start } = liveConfig();
    const live = await start(configText('a'));
    writeFileSync(file, configText('b'));
    await until(() => applied.length === 1);
    expect(live.applied.config.starts[0]?.name).toBe('b');
    writeFileSync(file, configText('c', 'rma="1M"'));
    await until(() => lines.length === 3);
    expect(lines[1]).toMatch(/config\.xml:1:\d+: unknown attribute "rma"/);
    expect([lines[0], lines[2]]).toEqual([
      `${file}: the new version is applied`,
      `${file}: this version is refused; the system runs on as it is`,
    ]);
    expect(live.applied.config.starts[0]?.name).toBe('b');
    // The version in force is put back: nothing is to be done.
    writeFileSync(file, configText('b'));
    await later(AFTER_MS);
    await live.reload();
    writeFileSync(file, configText('d'));
    await until(() => applied.length > 1);
    await later(AFTER_MS);
    expect(applied).toHaveLength(2);
  });

  test('whoever asks for a reload is told when the file is missing, and a refused version is looked at again', async () => {
    const { file, lines, applied, start } = liveConfig();
    const live = await start(configText('a'));
    writeFileSync(file, '<config');
    await until(() => lines.length === 2);
    await live.reload();
    expect(lines).toHaveLength(4);
    unlinkSync(file);
    await later(AFTER_MS);
    await live.reload();
    expect(lines.slice(4)).toEqual([`${file} cannot be read (ENOENT); the system runs on as it is`]);
    expect(applied).toEqual([]);
  });

  test('with the code watched, the children whose code has changed are started again, and nobody else', async () => {
    const { applied, restarted, lines, start } = liveConfig(true);
    writeFileSync(at('code.mjs'), 'export const one = 1;');
    await start(configText('a'));
    utimesSync(at('code.mjs'), 1, 1);
    await later(AFTER_MS);
    expect([applied, restarted]).toEqual([[], []]);
    writeFileSync(at('code.mjs'), 'export const one = 2;');
    await until(() => restarted.length > 0);
    await later(AFTER_MS);
    expect(restarted).toEqual(['init -> a']);
    expect(applied).toHaveLength(1);
    expect(lines).toEqual(['[init -> a] is started again: its code has changed']);
  });

  test('a file that comes and is loaded instead of another one is a change of the code', async () => {
    const { restarted, start } = liveConfig(true, { quietMs: 10, pollMs: 20 });
    mkdirSync(at('node_modules', 'dep'), { recursive: true });
    writeFileSync(at('node_modules', 'dep', 'index.js'), 'module.exports = 1;');
    mkdirSync(at('sub'));
    writeFileSync(at('sub', 'mid.mjs'), `import 'dep';`);
    writeFileSync(at('code.mjs'), `import './sub/mid.mjs';`);
    await start(configText('a'));
    // Other packages, and files beside, are no change.
    mkdirSync(at('sub', 'other'));
    writeFileSync(at('sub', 'index.js'), '');
    await later(AFTER_MS);
    expect(restarted).toEqual([]);
    mkdirSync(at('sub', 'node_modules', 'dep'), { recursive: true });
    writeFileSync(at('sub', 'node_modules', 'dep', 'index.js'), 'module.exports = 2;');
    await until(() => restarted.length > 0);
    expect(restarted[0]).toBe('init -> a');
  });
});

test('a package that is named as a binary is found in the nearest folder, and what was looked for before is told', () => {
  mkdirSync(at('node_modules', 'dep'), { recursive: true });
  writeFileSync(at('node_modules', 'dep', 'index.js'), '');
  mkdirSync(at('sub', 'node_modules'), { recursive: true });
  const far = new Binaries(at('sub'));
  expect(far.find('dep')).toEqual({
    moduleUrl: pathToFileURL(realpathSync(at('node_modules', 'dep', 'index.js'))).href,
  });
  expect(far.absent).toContain(at('sub', 'node_modules', 'dep'));
  mkdirSync(at('sub', 'node_modules', 'dep'));
  writeFileSync(at('sub', 'node_modules', 'dep', 'index.js'), '');
  expect(new Binaries(at('sub')).find('dep')).not.toEqual(far.find('dep'));
});

test('a check takes over what was read for the one before, unless a file that has come would be loaded instead', async () => {
  mkdirSync(at('node_modules', 'dep'), { recursive: true });
  writeFileSync(at('node_modules', 'dep', 'index.js'), '');
  mkdirSync(at('sub'));
  writeFileSync(at('sub', 'code.mjs'), `import 'dep';`);
  for (const file of [at('node_modules', 'dep', 'index.js'), at('sub', 'code.mjs')]) utimesSync(file, 1, 1);
  const moduleUrl = pathToFileURL(at('sub', 'code.mjs')).href;
  const first = new ComponentImports(directory);
  const graph = first.of(moduleUrl);
  const second = new ComponentImports(directory, first);
  expect(second.of(moduleUrl)).toBe(graph);
  mkdirSync(at('sub', 'node_modules', 'dep'), { recursive: true });
  writeFileSync(at('sub', 'node_modules', 'dep', 'index.js'), `import 'node:fs';`);
  const third = new ComponentImports(directory, second);
  expect(third.of(moduleUrl).files).toContain(at('sub', 'node_modules', 'dep', 'index.js'));
  writeFileSync(at('sub', 'package.json'), '{"type": "commonjs"}');
  const fourth = new ComponentImports(directory, third);
  expect(fourth.of(moduleUrl).files).toContain(at('sub', 'package.json'));
});

test('a long row of checks keeps what the last one knows, and nothing of those before', async () => {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  assert(typeof collect === 'function');
  const seen: WeakRef<ComponentImports>[] = [];
  const check = (before: ComponentImports | undefined): ComponentImports => {
    const imports = new ComponentImports(directory, before);
    seen.push(new WeakRef(imports));
    return imports;
  };
  let last: ComponentImports | undefined;
  for (let index = 0; index < 10; index++) last = check(last);
  // A WeakRef holds what it was made of until the turn ends.
  await new Promise(setImmediate);
  collect();
  expect(seen.filter((one) => one.deref() !== undefined)).toHaveLength(1);
  expect(seen.at(-1)?.deref()).toBe(last);
});

test('a hang-up ends the system only when the terminal is lost; otherwise it asks for a reload', () => {
  const ends: unknown[] = [];
  const terminal = { lost: false };
  let reloads = 0;
  const unlisten = endFromOutside(
    { end: (end) => void ends.push(end) },
    new Output(process.stdout, process.stderr),
    new Launcher(),
    {
      terminal,
      reload: () => reloads++,
    },
  );
  process.emit('SIGHUP', 'SIGHUP');
  expect([reloads, ends]).toEqual([1, []]);
  terminal.lost = true;
  process.emit('SIGHUP', 'SIGHUP');
  expect([reloads, ends]).toEqual([1, [{ kind: 'exit', code: 0 }]]);
  unlisten();
  process.removeAllListeners('SIGHUP');
});

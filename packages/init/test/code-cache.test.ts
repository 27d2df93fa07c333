/** Tests code that comes from other machines: what travels, what is verified, and what is kept. */
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CodeList, TravellingCode } from '@ginit/core/supervisor';
import { CodeCache } from '../src/command/cluster/code-cache.ts';
import { ComponentImports, CORE } from '../src/command/component-imports.ts';

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-code-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function write(name: string, content: string): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

/** A component with a file of its own, a package, and our runtime. */
function component(): TravellingCode {
  write(
    'app/node_modules/parts/package.json',
    '{ "name": "parts", "type": "module", "exports": "./lib/main.js" }',
  );
  write('app/node_modules/parts/lib/main.js', "export { part } from './part.js';\n");
  write('app/node_modules/parts/lib/part.js', 'export const part = 1;\n');
  mkdirSync(join(directory, 'app/node_modules/@ginit'), { recursive: true });
  symlinkSync(CORE, join(directory, 'app/node_modules/@ginit/core'));
  write('app/package.json', '{ "type": "module" }');
  write('app/lib/text.js', "export const text = 'hello';\n");
  const main = write(
    'app/main.js',
    "import { component } from '@ginit/core';\nimport { part } from 'parts';\nimport { text } from './lib/text.js';\nexport default component({}, (env) => env.log(text + part));\n",
  );
  const imports = new ComponentImports(join(directory, 'app'));
  return imports.codeOf(imports.binary(pathToFileURL(main).href));
}

const listOf = ({ entry, files, links }: TravellingCode): CodeList => ({
  entry,
  files: [...files],
  links: [...links],
});

/** Brings what the code says, and counts. */
function fetcher(code: TravellingCode, asked: string[] = []) {
  return async ({ hash }: { readonly hash: string }): Promise<Uint8Array> => {
    asked.push(hash);
    return code.read(hash) ?? new Uint8Array();
  };
}

test('the whole import graph travels, and nothing of our runtime or of the machine', () => {
  const code = component();
  expect(code.entry).toBe('main.js');
  expect(code.files.map(({ path }) => path).toSorted()).toEqual([
    'lib/text.js',
    'main.js',
    'node_modules/parts/lib/main.js',
    'node_modules/parts/lib/part.js',
    'node_modules/parts/package.json',
    'package.json',
  ]);
  expect(code.links).toEqual([{ at: 'node_modules/@ginit/core', to: undefined }]);
  expect(code.native).toBeUndefined();
});

test('code is laid out, checked and found again without asking', async () => {
  const code = component();
  const cache = new CodeCache(join(directory, 'cache'));
  const asked: string[] = [];
  const first = await cache.prepare(listOf(code), fetcher(code, asked));
  expect(asked.length).toBe(new Set(code.files.map(({ hash }) => hash)).size);
  const { moduleUrl, files, takes } = first.binary;
  expect(takes).toBe('nothing');
  expect(files).toContain(fileURLToPath(moduleUrl));
  expect(files.some((file) => file.startsWith(`${CORE}/`))).toBe(true);
  asked.length = 0;
  await cache.prepare(listOf(code), fetcher(code, asked));
  expect(asked).toEqual([]);
});

test('a tree that nobody uses is laid out anew, and one that is in use stays', async () => {
  const code = component();
  const cache = new CodeCache(join(directory, 'cache'));
  const prepare = () => cache.prepare(listOf(code), fetcher(code));
  const first = await prepare();
  const text = join(dirname(fileURLToPath(first.binary.moduleUrl)), 'lib/text.js');
  rmSync(text);
  writeFileSync(text, "export const text = 'changed';\n");
  const second = await prepare();
  expect(readFileSync(text, 'utf8')).toContain('changed');
  first.release();
  second.release();
  await prepare();
  expect(readFileSync(text, 'utf8')).toContain('hello');
});

test('a file with another content than its hash says is refused', async () => {
  const code = component();
  const cache = new CodeCache(join(directory, 'cache'));
  const preparing = cache.prepare(listOf(code), () => Promise.resolve(Buffer.from('export const evil = 1;')));
  await expect(preparing).rejects.toThrow(/has the hash [0-9a-f]{64}, and not/);
  expect(readdirSync(join(directory, 'cache/files'))).toEqual([]);
});

test('what nobody uses goes when there is too much, and what is in use stays', async () => {
  const code = component();
  const cache = new CodeCache(join(directory, 'cache'), 1);
  const used = await cache.prepare(listOf(code), fetcher(code));
  const kept = readdirSync(join(directory, 'cache/files')).length;
  expect(kept).toBe(code.files.length);
  used.release();
  const text = 'export default 1;\n';
  const other = {
    entry: 'm.js',
    files: [{ path: 'm.js', hash: hashOf(text), bytes: text.length }],
    links: [],
  };
  await cache.prepare(other, () => Promise.resolve(Buffer.from(text)));
  expect(readdirSync(join(directory, 'cache/files'))).toEqual([hashOf(text)]);
});

describe('a malformed list is refused before a path of it is used', () => {
  const text = 'export default 1;\n';
  const file = (path: string) => ({ path, hash: hashOf(text), bytes: text.length });
  test.each<[string, CodeList]>([
    ['a path that leads out', { entry: '../m.js', files: [file('../m.js')], links: [] }],
    ['an absolute path', { entry: '/m.js', files: [file('/m.js')], links: [] }],
    ['a path in disguise', { entry: 'a/../../m.js', files: [file('a/../../m.js')], links: [] }],
    ['no module to start', { entry: 'n.js', files: [file('m.js')], links: [] }],
    ['two files of one path', { entry: 'm.js', files: [file('m.js'), file('m.js')], links: [] }],
    [
      'a hash that is a path',
      { entry: 'm.js', files: [{ path: 'm.js', hash: '../../x', bytes: 1 }], links: [] },
    ],
    ['a link that leads out', { entry: 'm.js', files: [file('m.js')], links: [{ at: 'l', to: '../..' }] }],
    [
      'a link to the runtime under another name',
      { entry: 'm.js', files: [file('m.js')], links: [{ at: 'l' }] },
    ],
    [
      'a file below a link',
      { entry: 'm.js', files: [file('m.js'), file('l/x.js')], links: [{ at: 'l', to: 'd' }] },
    ],
    ['too much', { entry: 'm.js', files: [{ ...file('m.js'), bytes: 2 ** 40 }], links: [] }],
  ])('%s', async (_, list) => {
    const asked: string[] = [];
    const cache = new CodeCache(join(directory, 'cache'));
    const preparing = cache.prepare(list, ({ hash }) => {
      asked.push(hash);
      return Promise.resolve(Buffer.from(text));
    });
    await expect(preparing).rejects.toThrow('malformed');
    expect(asked).toEqual([]);
  });
});

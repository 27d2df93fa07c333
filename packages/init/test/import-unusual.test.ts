/**
 * Tests names of modules, `package.json` files and sources that different readers understand
 * differently. The rule must see whatever any version of Node would see.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findForbidden, ImportGraphs } from '../src/command/imports/index.ts';

let directory = '';
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'ginit-unusual-')));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), content);
  }
}

/** The first import in the graph of this file that breaks the rule. */
function wrongIn(file: string): string | undefined {
  const url = pathToFileURL(join(directory, file)).href;
  return findForbidden(new ImportGraphs({ directory }).read(url))?.what;
}

/** The files of the graph, relative to the test's directory. */
function filesOf(file: string): string[] {
  const { files } = new ImportGraphs({ directory }).read(pathToFileURL(join(directory, file)).href);
  return files.map((one) => one.replace(`${directory}/`, ''));
}

const HOST = `exports.host = require('node:net');`;

test.each([
  '@solo',
  '@solo/',
  '@solo/sub',
  '.hidden',
  'a%b',
  'a%b/sub',
  'a\\b',
  '@solo.js',
  '..up',
  'x/y/../z',
])('a name that only `require` accepts is followed: %s', (name) => {
  write({ 'a.cjs': `require(${JSON.stringify(name)});` });
  for (const one of ['@solo', '.hidden', 'a%b', 'a\\b'])
    write({ [`node_modules/${one}/index.js`]: HOST, [`node_modules/${one}/sub.js`]: HOST });
  write({ 'node_modules/@solo.js.js': HOST, '..up.js': HOST, 'node_modules/x/z.js': HOST });
  expect(wrongIn('a.cjs')).toBe('imports node:net');
});

test('a package that requires itself is found, also under a name that no other package can have', () => {
  write({
    'package.json': '{"name":"@me","exports":{"./x":"./x.js"}}',
    'a.cjs': `require('@me/x');`,
    'x.js': HOST,
  });
  expect(wrongIn('a.cjs')).toBe('imports node:net');
});

test.each([
  [' data:text/javascript,1', 'imports  data:text/javascript,1, which cannot be looked into,'],
  ['da\tta:text/javascript,1', 'imports da\tta:text/javascript,1, which cannot be looked into,'],
  ['no\nde:net', 'imports no\nde:net'],
  [' file:///usr', 'imports  file:///usr, which cannot be looked into,'],
  ['x:y', 'imports x:y, which cannot be looked into,'],
])('a name that a URL parser takes for a URL counts as a URL: %j', (name, said) => {
  write({ 'a.mjs': `import ${JSON.stringify(name)};` });
  expect(wrongIn('a.mjs')).toBe(said);
});

test('a file named by a URL with blanks around it must be one that may be named', () => {
  write({ 'in/a.mjs': `import ' ${pathToFileURL(join(directory, 'out.mjs')).href} ';`, 'out.mjs': '' });
  write({ 'in/package.json': '{}' });
  const url = pathToFileURL(join(directory, 'in/a.mjs')).href;
  const graph = new ImportGraphs({ directory: join(directory, 'in') }).read(url);
  expect(findForbidden(graph)?.what).toContain("which is outside of the config's directory");
});

describe('a package.json that not every Node reads alike', () => {
  const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

  test('with a byte order mark is read like one without', () => {
    const main = Buffer.concat([BOM, Buffer.from('{"main":"./host.js"}')]);
    write({ 'a.mjs': `import 'p';`, 'node_modules/p/package.json': main });
    write({ 'node_modules/p/host.js': HOST, 'node_modules/p/index.js': '' });
    expect(wrongIn('a.mjs')).toBe('imports node:net');
  });

  test.each([
    ['{"main":"./a.js","main":5}', 'it has two fields "main"'],
    ['{"exports":"./a.js","x":{"exports":1},"exports":null}', 'it has two fields "exports"'],
    ['{"\\u006dain":"./a.js"}', 'it spells "main" with escapes'],
    ['{"main":"./a.js","x":tru}', 'it is no JSON'],
    ['{"main":"./a.js"} {}', 'it is no JSON'],
    ['["./a.js"]', 'it is no object'],
    ['{"exports":false,"main":"./a.js"}', 'its "exports" is a boolean'],
    ['{"main":"/a.js"}', 'its "main" is no plain path'],
    ['{"main":"./%61.js"}', 'its "main" is no plain path'],
    ['{"main":"./a.js?x"}', 'its "main" is no plain path'],
    ['{"main":"./a.js/"}', 'its "main" names a file as if it were a directory'],
  ])('is refused: %s', (text, why) => {
    write({ 'a.mjs': `import 'p';`, 'b.cjs': `require('p');`, 'node_modules/p/package.json': text });
    write({ 'node_modules/p/a.js': '', 'node_modules/p/index.js': '' });
    const path = join(directory, 'node_modules/p/package.json');
    const said = `imports p, which not every Node finds in the same place (${path}: ${why}),`;
    expect(wrongIn('a.mjs')).toBe(said);
    expect(wrongIn('b.cjs')).toBe(said);
  });

  test('is refused in another encoding, and where it is no file', () => {
    write({ 'a.mjs': `import 'p';`, 'node_modules/p/index.js': '' });
    write({ 'node_modules/p/package.json': Buffer.from('{"main":"\xe4.js"}', 'latin1') });
    expect(wrongIn('a.mjs')).toContain('it is not in UTF-8');
    rmSync(join(directory, 'node_modules/p/package.json'));
    mkdirSync(join(directory, 'node_modules/p/package.json'));
    expect(wrongIn('a.mjs')).toContain('it is no regular file');
  });

  test('fields of one name elsewhere are nothing unusual', () => {
    const text =
      '{"main":"./a.js","x":{"main":1,"main":2},"y":["main",{"type":1}],"scripts":{"main":"}\\"{"}}';
    write({ 'a.mjs': `import 'p';`, 'node_modules/p/package.json': text, 'node_modules/p/a.js': '' });
    expect(wrongIn('a.mjs')).toBeUndefined();
    expect(filesOf('a.mjs')).toContain('node_modules/p/a.js');
  });

  test('is refused for files that lie below it', () => {
    write({ 'package.json': '{"type":"module","type":"commonjs"}', 'a.js': '' });
    expect(wrongIn('a.js')).toContain('is not the same to every Node: it has two fields "type"');
  });
});

describe('the form of a source', () => {
  test.each(['x.foo', 'x', 'x.js.bar', '.js', 'x.mts'])(
    'is CommonJS to `require`, whatever the type of its package, if it is called %s',
    (file) => {
      const exports = JSON.stringify({ '.': `./${file}` });
      write({ 'node_modules/p/package.json': `{"type":"module","exports":${exports}}` });
      write({ [`node_modules/p/${file}`]: HOST, 'a.cjs': `require('p');` });
      expect(wrongIn('a.cjs')).toBe('imports node:net');
    },
  );

  test('is CommonJS if it can be, where nobody says, and a module otherwise', () => {
    write({ 'a.js': `export * from './b.js';`, 'b.js': HOST });
    expect(wrongIn('a.js')).toBe('imports node:net');
  });

  test.each([
    `export const a = (function () {} / import('b') / 1);`,
    `export const a = [function () {}\n/ import('b') / 1];`,
    `export const a = function () {} / 1; export * from 'b'; 1 / 1;`,
  ])('a division after a closing bracket hides no import: %s', (source) => {
    write({ 'a.mjs': source, 'node_modules/b/index.js': '' });
    expect(filesOf('a.mjs')).toContain('node_modules/b/index.js');
  });
});

test('a link in a package leads out of it as little as its name does', () => {
  write({ 'secret.json': '{}', 'node_modules/p/package.json': '{}', 'a.cjs': `require('p/data.json');` });
  write({ 'node_modules/q/package.json': '{"exports":"./data.json"}', 'b.cjs': `require('q');` });
  for (const name of ['p', 'q'])
    symlinkSync(join(directory, 'secret.json'), join(directory, `node_modules/${name}/data.json`));
  expect(wrongIn('a.cjs')).toBe('imports p/data.json, which leads out of the package that it names,');
  expect(wrongIn('b.cjs')).toBe('imports q, which leads out of the package that it names,');
});

test.each([
  String.raw`process['\x67etBuiltinModule']('net');`,
  String.raw`process['get\BuiltinModule']('net');`,
  String.raw`process['getBuiltinMo\dule']('net');`,
  "process['get\\\nBuiltinModule']('net');",
  "process['get\\\r\nBuiltinModule']('net');",
  "process['get\\\u2028BuiltinModule']('net');",
  String.raw`process.\u{000000067}etBuiltinModule('net');`,
  String.raw`const { '\u0067etBuiltinModule': get } = process;`,
  String.raw`globalThis['pro\x63ess']['\x67etBuiltinModule']('net');`,
  String.raw`globalThis['pro\x63ess']['b\x69nding']('net');`,
])('a name that is written with escapes counts like the plain name, in either form: %s', (source) => {
  write({ 'a.mjs': source, 'a.cjs': source });
  expect(wrongIn('a.mjs')).toMatch(/^(?:imports net|uses process)/);
  expect(wrongIn('a.cjs')).toBe(wrongIn('a.mjs'));
});

test('a `require` that is written with escapes counts as a `require`', () => {
  write({ 'a.cjs': String.raw`r\u0065quire('net');` });
  expect(wrongIn('a.cjs')).toBe('imports net');
});

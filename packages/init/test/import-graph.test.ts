/**
 * Tests the import graph of a component: which imports count, where they lead, and which files Node
 * reads.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  findForbidden,
  type ImportGraph,
  ImportGraphs,
  type WantedAllowance,
} from '../src/command/imports/index.ts';

let directory = '';
const path = (file: string): string => join(directory, file);
function write(files: Readonly<Record<string, string | object>>): void {
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(path(file)), { recursive: true });
    writeFileSync(path(file), typeof content === 'string' ? content : JSON.stringify(content));
  }
}
const graphOf = (file: string): ImportGraph =>
  new ImportGraphs({ directory }).read(pathToFileURL(path(file)).href);
const filesOf = (file: string): string[] =>
  graphOf(file)
    .files.map((one) => one.replace(`${directory}/`, ''))
    .toSorted();

/** The first import in a file that breaks the rule, as `what file:line:column`. */
function wrongIn(file: string, allowances: readonly WantedAllowance[] = []): string | undefined {
  const found = findForbidden(graphOf(file), { allowances });
  if (!found) return undefined;
  return `${found.what} ${found.file.replace(`${directory}/`, '')}:${found.line}:${found.column}`;
}

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'ginit-imports-')));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a package of CommonJS that our own runtime uses counts with the files that it requires', () => {
  write({
    'main.mjs': `import './runtime/index.js';`,
    'runtime/index.js': `import 'dep';`,
    'runtime/package.json': { type: 'module' },
    'node_modules/dep/index.js': `require('./inner');`,
    'node_modules/dep/inner.js': '',
  });
  const isTrusted = (file: string): boolean => file.startsWith(path('runtime/'));
  const { files } = new ImportGraphs({ directory, isTrusted }).read(pathToFileURL(path('main.mjs')).href);
  expect(files).toContain(path('node_modules/dep/inner.js'));
});

describe('what counts as an import', () => {
  const COMPUTED = 'a module whose name is computed';
  const HIDDEN = 'require under another name';
  const cases: readonly (readonly [
    title: string,
    source: string,
    commonjs: string | undefined,
    module: string | undefined,
  ])[] = [
    ['a comment', `// require('node:fs')\n/* import 'fs' */`, undefined, undefined],
    ['a text', `const a = "require('fs')"; const b = \`import('fs')\`;`, undefined, undefined],
    ['a pattern', `const a = /require('fs')/.test("import('fs')");`, undefined, undefined],
    ['a division before it', `let g = 1, a = 4 / 2; require('fs'); a = 1 / g`, 'imports fs 1:23', undefined],
    ['a literal in an expression', 'const a = { b: [() => require(`fs`)] };', 'imports fs 1:23', undefined],
    ['code in a template', 'const a = `${require("fs")}`;', 'imports fs 1:14', undefined],
    ["another object's require", `const a = {}; a.require('fs');`, undefined, undefined],
    ['a late import', `export const a = () => import('node:fs');`, undefined, 'imports node:fs 1:31'],
    [
      'a late import in CommonJS',
      `exports.a = () => import('node:fs');`,
      'imports node:fs 1:26',
      'imports node:fs 1:26',
    ],
    ['a computed import', `export const a = (b) => import(b);`, undefined, `imports ${COMPUTED} 1:32`],
    ['a computed require', `exports.a = (b) => require('./' + b);`, `imports ${COMPUTED} 1:20`, undefined],
    ['a hidden require', `const r = require; r('fs');`, `imports ${HIDDEN} 1:11`, undefined],
    ['a require that is handed on', `f(require); function f() {}`, `imports ${HIDDEN} 1:3`, undefined],
    [
      'a look whether there is a require',
      `if (typeof require === 'function' && !require) {}`,
      undefined,
      undefined,
    ],
    ['require.resolve', `require.resolve('fs');`, undefined, undefined],
    ['module.require', `module.require('fs');`, 'imports fs 1:1', undefined],
    ['require.main.require', `require.main.require('fs');`, 'imports fs 1:1', undefined],
    ['process.mainModule', `process.mainModule.require('fs');`, 'imports fs 1:1', 'imports fs 1:1'],
    ['getBuiltinModule', `process.getBuiltinModule('fs');`, 'imports fs 1:1', 'imports fs 1:1'],
    [
      'getBuiltinModule, optional',
      `globalThis.process?.getBuiltinModule?.('node:fs');`,
      'imports node:fs 1:1',
      'imports node:fs 1:1',
    ],
    ['getBuiltinModule of an innocent one', `process.getBuiltinModule('util');`, undefined, undefined],
    [
      'getBuiltinModule, computed',
      `process.getBuiltinModule(String());`,
      'uses a module of Node whose name is computed 1:1',
      'uses a module of Node whose name is computed 1:1',
    ],
    [
      'getBuiltinModule by another name',
      `const { getBuiltinModule: g } = process;`,
      'uses process.getBuiltinModule under another name 1:9',
      'uses process.getBuiltinModule under another name 1:9',
    ],
    [
      'getBuiltinModule in brackets',
      `process['getBuiltinModule']('fs');`,
      'imports fs 1:1',
      'imports fs 1:1',
    ],
    [
      'getBuiltinModule with an escape',
      'process.getB\\u0075iltinModule("fs");',
      'imports fs 1:1',
      'imports fs 1:1',
    ],
    ['process.binding', `process.binding('fs');`, 'uses process.binding 1:1', 'uses process.binding 1:1'],
    [
      'process.dlopen',
      `globalThis.process.dlopen({}, 'x');`,
      'uses process.dlopen 1:1',
      'uses process.dlopen 1:1',
    ],
    ['a binding of somebody else', `const a = {}; a.binding = 1;`, undefined, undefined],
    ['module.constructor', `module.constructor._load('fs');`, 'uses module.constructor 1:1', undefined],
    [
      'a data: URL',
      `export const a = import('data:text/javascript,1');`,
      undefined,
      'imports data:text/javascript,1, which cannot be looked into, 1:25',
    ],
    ['an innocent module', `export { inspect } from 'util'; import 'node:path/posix';`, undefined, undefined],
    [
      'a shebang and a return',
      `#!/usr/bin/env node\nif (require) return; require('fs');`,
      'imports fs 2:22',
      undefined,
    ],
  ];
  const withPlace = (expected: string | undefined, file: string): string | undefined =>
    expected?.replace(/ (\d+:\d+)$/, ` ${file}:$1`);
  const isModule = (source: string): boolean => /\bexport |^import |\bimport '/m.test(source);

  test.each(cases)('%s', (_title, source, commonjs, module) => {
    write({ 'a.cjs': source, 'a.mjs': source });
    if (!isModule(source)) expect(wrongIn('a.cjs')).toBe(withPlace(commonjs, 'a.cjs'));
    if (!/\breturn;/.test(source)) expect(wrongIn('a.mjs')).toBe(withPlace(module, 'a.mjs'));
  });

  test('createRequire, used as it usually is, is a require', () => {
    const used = (text: string): string => `import { createRequire } from 'node:module';\n${text}`;
    write({
      'right.mjs': used(
        `const require = createRequire(import.meta.url);\nrequire('util'); require('./x.cjs');`,
      ),
      'x.cjs': `require('net')`,
      'host.mjs': used(`const need = createRequire(import.meta.url);\nneed('fs');`),
      'direct.mjs': used(`createRequire(import.meta.url)('fs');`),
      'elsewhere.mjs': used(`createRequire('/x/')('util');`),
      'handed.mjs': used('f(createRequire); function f() {}'),
      'exported.mjs': used('export const r = createRequire(import.meta.url);'),
      'exported2.mjs': used('const r = createRequire(import.meta.url);\nexport { r as s };'),
      'kept.mjs': used('globalThis.r = createRequire(import.meta.url);'),
      'more.mjs': `import { createRequire, register } from 'module';\ncreateRequire(import.meta.url)('util');`,
    });
    expect(wrongIn('right.mjs')).toBe('imports net x.cjs:1:1');
    expect(wrongIn('host.mjs')).toBe('imports fs host.mjs:3:1');
    expect(wrongIn('direct.mjs')).toBe('imports fs direct.mjs:2:1');
    expect(wrongIn('elsewhere.mjs')).toBe('imports node:module elsewhere.mjs:2:1');
    expect(wrongIn('handed.mjs')).toBe('imports node:module handed.mjs:2:3');
    const another = 'imports require under another name';
    expect(wrongIn('exported.mjs')).toBe(`${another} exported.mjs:2:18`);
    expect(wrongIn('exported2.mjs')).toBe(`${another} exported2.mjs:3:10`);
    expect(wrongIn('kept.mjs')).toBe(`${another} kept.mjs:2:16`);
    expect(wrongIn('more.mjs')).toBe('imports module more.mjs:1:42');
  });

  test('a source that cannot be read is refused with its place', () => {
    write({
      'a.mjs': `import './broken.cjs';`,
      'broken.cjs': `exports.a = 1;\nrequire('util'); (;`,
      'deep.cjs': `require('util'); ${'('.repeat(100_000)}`,
    });
    expect(wrongIn('a.mjs')).toBe('Unexpected token broken.cjs:2:19');
    expect(wrongIn('deep.cjs')).toMatch(/^(?:it is nested too deeply|Not enough stack)/);
  });
});

describe('where imports lead', () => {
  test('a require without extension, a directory, a directory with its own entry', () => {
    write({
      'main.cjs': `require('./lib/x'); require('./lib'); require('./other/'); require('./data');`,
      'lib/x.js': '',
      'lib/index.js': `require('..')`,
      'index.js': '',
      'other/package.json': { main: './deep/start' },
      'other/deep/start.js': `require('child_process')`,
      'data.json': '{}',
    });
    expect(wrongIn('main.cjs')).toBe('imports child_process other/deep/start.js:1:1');
    expect(filesOf('main.cjs')).toEqual([
      'data.json',
      'index.js',
      'lib/index.js',
      'lib/x.js',
      'main.cjs',
      'other/deep/start.js',
      'other/package.json',
    ]);
  });

  test('a package that exports only to import, and one that exports each way something else', () => {
    write({
      'main.mjs': `import 'only'; import './both.cjs'; import 'both';`,
      'both.cjs': `require('both/deep/x')`,
      'node_modules/only/package.json': { name: 'only', exports: { import: './only.mjs' } },
      'node_modules/only/only.mjs': `import 'net';`,
      'node_modules/both/package.json': {
        name: 'both',
        exports: {
          '.': { require: './c.cjs', import: './m.mjs' },
          './deep/*': { import: './no.mjs', node: { require: './deep/*.cjs' } },
          './deep/private/*': null,
        },
      },
      'node_modules/both/m.mjs': '',
      'node_modules/both/deep/x.cjs': `require('dgram')`,
    });
    expect(wrongIn('main.mjs')).toBe('imports net node_modules/only/only.mjs:1:9');
    expect(wrongIn('both.cjs')).toBe('imports dgram node_modules/both/deep/x.cjs:1:1');
    expect(filesOf('main.mjs')).toEqual([
      'both.cjs',
      'main.mjs',
      'node_modules/both/deep/x.cjs',
      'node_modules/both/m.mjs',
      'node_modules/both/package.json',
      'node_modules/only/only.mjs',
      'node_modules/only/package.json',
    ]);
  });

  test('a name that a package itself gives to a module of Node counts as that module', () => {
    write({
      'package.json': {
        name: 'own',
        imports: { '#files': 'fs', '#x/*': './lib/*.mjs' },
        exports: './lib/a.mjs',
      },
      'main.mjs': `import '#x/a';`,
      'lib/a.mjs': `import '#files';`,
      'self.mjs': `import 'own';`,
    });
    expect(wrongIn('main.mjs')).toBe('imports #files lib/a.mjs:1:9');
    expect(wrongIn('self.mjs')).toBe('imports #files lib/a.mjs:1:9');
    expect(filesOf('main.mjs')).toEqual(['lib/a.mjs', 'main.mjs', 'package.json']);
  });

  test('links, as package managers make them: real paths count', () => {
    write({
      'main.mjs': `import 'linked';`,
      'store/linked/package.json': { name: 'linked', main: 'index.js' },
      'store/linked/index.js': `require('neighbour')`,
      'store/node_modules/neighbour/index.js': `require('http')`,
    });
    mkdirSync(path('node_modules'));
    symlinkSync(path('store/linked'), path('node_modules/linked'));
    expect(wrongIn('main.mjs')).toBe('imports http store/node_modules/neighbour/index.js:1:1');
    expect(filesOf('main.mjs')).toEqual([
      'main.mjs',
      'store/linked/index.js',
      'store/linked/package.json',
      'store/node_modules/neighbour/index.js',
    ]);
  });

  test('an installed package has no business outside of itself', () => {
    write({
      'main.mjs': `import 'nosy';`,
      'secret.json': '{}',
      'node_modules/nosy/index.js': `exports.a = () => require('../../secret.json');`,
    });
    expect(wrongIn('main.mjs')).toBe(
      'imports ../../secret.json, which is outside of its package, node_modules/nosy/index.js:1:19',
    );
    expect(filesOf('main.mjs')).not.toContain('secret.json');
  });

  test('an installed package cannot reach outside of itself by a detour', () => {
    write({
      'main.mjs': `import 'sly';`,
      'other.mjs': `import 'nosy';`,
      'secret.json': '{}',
      'node_modules/nosy/index.js': `require('sly/../../secret.json');`,
      'node_modules/sly/package.json': { main: '../../secret.json' },
    });
    const reason = 'which leads out of the package that it names,';
    expect(wrongIn('main.mjs')).toBe(`imports sly, ${reason} main.mjs:1:9`);
    expect(wrongIn('other.mjs')).toBe(
      `imports sly/../../secret.json, ${reason} node_modules/nosy/index.js:1:1`,
    );
    for (const file of ['main.mjs', 'other.mjs']) expect(filesOf(file)).not.toContain('secret.json');
  });

  describe('a file that is not installed names others by a path', () => {
    const OUTSIDE = `, which is outside of the config's directory and of the component's package,`;
    /** The config lies in `config/`; names of files are below the test's directory. */
    const graphFrom = (file: string): ImportGraph =>
      new ImportGraphs({ directory: path('config') }).read(pathToFileURL(path(file)).href);
    const wrongFrom = (file: string): string | undefined => findForbidden(graphFrom(file))?.what;
    const readableFrom = (file: string): string[] =>
      graphFrom(file).files.map((one) => one.replace(`${directory}/`, ''));

    test.each([
      ['an absolute path', 'import', (to: string) => `import x from '${to}' with { type: 'json' };`],
      ['a require that never runs', 'require', (to: string) => `if (false) require('${to}');`],
      ['a late import', 'late', (to: string) => `export const a = () => import('file://${to}');`],
    ])('not elsewhere: %s', (_title, form, source) => {
      const file = form === 'require' ? 'config/a.cjs' : 'config/a.mjs';
      write({ 'secret.json': '{}', [file]: source(path('secret.json')) });
      const prefix = form === 'late' ? 'file://' : '';
      expect(wrongFrom(file)).toBe(`imports ${prefix}${path('secret.json')}${OUTSIDE}`);
      expect(readableFrom(file)).toEqual([file]);
    });

    test('but not elsewhere, not even by a link', () => {
      write({ 'secret.json': '{}', 'config/a.cjs': `require('./link.json')` });
      symlinkSync(path('secret.json'), path('config/link.json'));
      expect(wrongFrom('config/a.cjs')).toBe(`imports ./link.json${OUTSIDE}`);
    });

    test("below the config's directory, in the binary's package, and in that of a linked package", () => {
      write({
        'config/a.mjs': `import './deep/b.mjs'; import 'linked';`,
        'config/deep/b.mjs': `import '../data.json' with { type: 'json' };`,
        'config/data.json': '{}',
        'elsewhere/linked/package.json': { name: 'linked', exports: './lib/c.mjs' },
        'elsewhere/linked/lib/c.mjs': `import '../d.mjs';`,
        'elsewhere/linked/d.mjs': '',
        'binary/package.json': { name: 'binary' },
        'binary/bin/e.mjs': `import '../f.mjs';`,
        'binary/f.mjs': `import '../config/a.mjs';`,
      });
      mkdirSync(path('config/node_modules'));
      symlinkSync(path('elsewhere/linked'), path('config/node_modules/linked'));
      expect(wrongFrom('binary/bin/e.mjs')).toBeUndefined();
      expect(readableFrom('binary/bin/e.mjs')).toContain('elsewhere/linked/d.mjs');
    });

    test('a linked package has no business outside of itself', () => {
      write({
        'config/a.mjs': `import 'linked';`,
        'elsewhere/linked/package.json': { name: 'linked', exports: './c.mjs' },
        'elsewhere/linked/c.mjs': `import '../secret.json' with { type: 'json' };`,
        'elsewhere/secret.json': '{}',
      });
      mkdirSync(path('config/node_modules'));
      symlinkSync(path('elsewhere/linked'), path('config/node_modules/linked'));
      expect(wrongFrom('config/a.mjs')).toBe(`imports ../secret.json${OUTSIDE}`);
    });

    test('but a file that is no code by its name is not made readable', () => {
      write({
        'config/a.cjs': `require('./key.pem'); require('./plain')`,
        'config/key.pem': '',
        'config/plain': '',
      });
      expect(wrongFrom('config/a.cjs')).toBe('imports ./key.pem, which is no code by its name,');
      expect(readableFrom('config/a.cjs')).toEqual(['config/a.cjs']);
    });
  });

  test('native code counts as code that cannot be inspected', () => {
    write({ 'main.cjs': `require('./build/x.node')`, 'build/x.node': 'ELF' });
    expect(wrongIn('main.cjs')).toBe('imports ./build/x.node, which cannot be looked into, main.cjs:1:1');
  });

  test('a module that does not exist breaks no rule', () => {
    write({ 'main.cjs': `try { require('optional') } catch {}` });
    expect(wrongIn('main.cjs')).toBeUndefined();
  });
});

describe('an allowance', () => {
  const files = {
    'main.mjs': `import 'client';`,
    'node_modules/client/index.js': `require('net'); require('tls'); require('util'); require(String());`,
  };
  const allow = (uses: readonly string[], anything = false, module = 'client'): WantedAllowance => ({
    module,
    uses,
    anything,
  });

  test('lets a package use the modules that it names, and no others', () => {
    write(files);
    const file = 'node_modules/client/index.js';
    expect(wrongIn('main.mjs')).toBe(`imports net ${file}:1:1`);
    expect(wrongIn('main.mjs', [allow(['net'])])).toBe(`imports tls ${file}:1:17`);
    expect(wrongIn('main.mjs', [allow(['net', 'tls'])])).toBe(
      `imports a module whose name is computed ${file}:1:50`,
    );
    expect(wrongIn('main.mjs', [allow(['net', 'tls'], true)])).toBeUndefined();
    expect(wrongIn('main.mjs', [allow(['net', 'tls'], true, 'other')])).toBe(`imports net ${file}:1:1`);
  });

  test('that would be enough is part of the message', () => {
    write(files);
    expect(findForbidden(graphOf('main.mjs'))?.allowance).toEqual(allow(['net', 'tls'], true));
    write({ 'own.mjs': `import 'net';` });
    expect(findForbidden(graphOf('own.mjs'))?.allowance).toBeUndefined();
  });
});

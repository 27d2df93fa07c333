/**
 * Tests ways around the import rule by `module`, `require` and `process`, which are refused, and
 * the uses of these that libraries have and that are allowed.
 */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findForbidden, ImportGraphs } from '../src/command/imports/index.ts';

let directory = '';
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'ginit-ways-')));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** The first import in a source that breaks the rule, as `what line:column`. */
function wrongIn(file: 'a.cjs' | 'a.mjs', source: string): string | undefined {
  const path = join(directory, file);
  writeFileSync(path, source);
  const found = findForbidden(new ImportGraphs({ directory }).read(pathToFileURL(path).href));
  return found && `${found.what} ${found.line}:${found.column}`;
}

/** Ways around the rule by `module` and `require`, each with the message for it. */
const WAYS: readonly (readonly [source: string, said: string])[] = [
  [`arguments[1]('fs');`, "uses the module's own arguments 1:1"],
  [`const a = () => arguments[1]; a()('fs');`, "uses the module's own arguments 1:17"],
  [`const [, r] = arguments; r('fs');`, "uses the module's own arguments 1:15"],
  [`class A { [arguments[1]('fs')]() {} }`, "uses the module's own arguments 1:12"],
  [`require.call(null, 'fs');`, 'uses require.call 1:1'],
  [`require.apply(null, ['fs']);`, 'uses require.apply 1:1'],
  [`require.bind(null)('fs');`, 'uses require.bind 1:1'],
  [`require?.['call'](null, 'fs');`, 'uses require.call 1:1'],
  ['require`fs`;', 'imports require under another name 1:1'],
  [`(0, require)('fs');`, 'imports fs 1:1'],
  [`require.extensions['.js'](module, 'x');`, 'uses require.extensions 1:1'],
  [`require[String()]('fs');`, 'uses a property of require whose name is computed 1:1'],
  [`const { extensions } = require;`, 'uses require.extensions 1:9'],
  [`const { require: r } = module; r('fs');`, 'uses module.require 1:9'],
  [`const { ...r } = module;`, 'uses a property of module whose name is computed 1:9'],
  [`let r; ({ require: r } = module);`, 'uses module.require 1:11'],
  [`const m = module; m.require('fs');`, 'imports fs 1:19'],
  [`const m = typeof module === 'object' && module, n = m; n.require('fs');`, 'imports fs 1:56'],
  [`let m; m = module; m.constructor._load('fs');`, 'uses module.constructor 1:20'],
  [`const m = module; const { require: r } = m;`, 'uses module.require 1:27'],
  [`(module).require('fs');`, 'imports fs 1:1'],
  [`(0, module).require('fs');`, 'imports fs 1:1'],
  [`var m; (m = module).require('fs');`, 'imports fs 1:8'],
  [`const r = module.require;`, 'imports require under another name 1:11'],
  [`module.require.call(module, 'fs');`, 'uses require.call 1:1'],
  [`module.parent.require('fs');`, 'imports fs 1:1'],
  [`const p = module.parent; p.require('fs');`, 'imports fs 1:26'],
  [`module.children[0].require('fs');`, 'imports fs 1:1'],
  [`require.cache[__filename].require('fs');`, 'imports fs 1:1'],
  [`const { main } = require; main.require('fs');`, 'imports fs 1:27'],
  [`const m = process.mainModule; m.require('fs');`, 'imports fs 1:31'],
  [`const { mainModule: m } = process; m.require('fs');`, 'imports fs 1:36'],
  [`f(module); function f(m) { m.require('fs'); }`, 'uses module under another name 1:3'],
  [`f({ module }); function f() {}`, 'uses module under another name 1:5'],
  [`f([...[module]]); function f() {}`, 'uses module under another name 1:8'],
  [`exports.m = module;`, 'uses module under another name 1:13'],
  [`exports.m = () => module;`, 'uses module under another name 1:19'],
  [`function f(m = module) { m.require('fs'); }`, 'uses module under another name 1:16'],
  [`function f(a = module.require('fs')) { var module; }`, 'imports fs 1:16'],
  [`var module = module; module.require('fs');`, 'imports fs 1:22'],
  [`f(); var module = 1; function f() { module.require('fs'); }`, 'imports fs 1:37'],
  [`module.require('fs'); var module = 1;`, 'imports fs 1:1'],
  [`if (0) { var module = 1; } f(module); function f() {}`, 'uses module under another name 1:30'],
  [`const m = module; { var module = 1; module = m; module.require('fs'); }`, 'imports fs 1:49'],
  [
    `({ __proto__: module, f() { return super.require('fs'); } }).f();`,
    'uses module under another name 1:15',
  ],
  [`Object.getPrototypeOf(module).require('fs');`, 'uses module under another name 1:23'],
  [`Object.defineProperty(module, 'exports', {}).require('fs');`, 'uses module under another name 1:23'],
  [`Reflect.get(module, 'require')('fs');`, 'uses module under another name 1:13'],
  [`module.__proto__.require.call(module, 'fs');`, 'uses module.__proto__ 1:1'],
  [`module._compile('', 'x');`, 'uses module._compile 1:1'],
  [`const p = process; Object.assign({}, p).x;`, 'uses process as an argument of Reflect or Object 1:38'],
  [`module.load('x');`, 'uses module.load 1:1'],
  [`with (module) { f(require); } function f() {}`, 'uses module under another name 1:7'],
];
test.each(WAYS)('a way around the rule by module or require is refused: %s', (source, said) => {
  expect(wrongIn('a.cjs', source)).toBe(said);
});

/** Ways around the rule by `process`, the same in both formats. */
const WAYS_BY_PROCESS: readonly (readonly [source: string, said: string])[] = [
  [`const { binding } = process; binding('fs');`, 'uses process.binding 1:9'],
  [`const p = process; const { binding: b } = p;`, 'uses process.binding 1:28'],
  [`const p = process; p.dlopen({}, 'x');`, 'uses process.dlopen 1:20'],
  [`const { process: p } = globalThis; p.binding('fs');`, 'uses process.binding 1:36'],
  [`const { process: { binding } } = globalThis;`, 'uses process.binding 1:20'],
  [`function f({ binding } = process) {}`, 'uses process.binding 1:14'],
  [
    `Reflect.get(process, 'getBuiltinModule')('fs');`,
    'uses process as an argument of Reflect or Object 1:13',
  ],
];
test.each(WAYS_BY_PROCESS)('a way around the rule by process is refused: %s', (source, said) => {
  expect(wrongIn('a.cjs', source)).toBe(said);
  expect(wrongIn('a.mjs', source)).toBe(said);
});

test.each([
  `exports = module.exports = {}; module.exports.a = 1; exports.id = module.id + module['filename'];`,
  `if (require.main === module || !module.parent || module.parent === null) exports.a = 1;`,
  `const { exports: e, id } = module; e.a = id;`,
  `var freeModule = typeof module == 'object' && module && !module.nodeType && module;
   if (freeModule && freeModule.exports === exports) (freeModule.exports = {}).a = 1;
   var types = freeModule && freeModule.require && freeModule.require('util').types;
   var freeProcess = exports && globalThis.process;
   exports.b = freeProcess && freeProcess.binding && freeProcess.binding('util');`,
  `(function (root, f) { typeof module === 'object' && module.exports ? module.exports = f() : root.x = f(); })(this, () => 1);`,
  `exports.f = function () { return arguments.length + Array.from(arguments)[1]; };`,
  `exports.o = { arguments: 1, module: 2, require: 3, f({ arguments: a }) { return a.module; } };`,
  `exports.f = function (module) { list.push(module); return module.constructor; }; const list = [];`,
  `exports.f = (modules) => { for (const module of modules) f(module); function f() {} };`,
  `exports.f = () => { class module {} return new module(); };`,
  `delete require.cache[__filename]; exports.r = require.resolve('util'); exports.n = module.children.length;`,
  `Object.defineProperty(module, 'exports', { value: 1 });`,
  `module.paths.push('x'); if (typeof arguments === 'object') exports.a = 1; module = undefined;`,
  `for (var i = 0; i < 1; i++) { var module = list[i]; for (var k in module) exports[k] = module[k]; f(module); }
   var list; function f() {}`,
  `const cache = require.cache; if (cache) for (const key of Object.keys(cache)) exports.a = cache[key].exports;`,
  `if (module.hot) module.hot.accept(); if (require.extensions) exports.a = 1;`,
  `exports.f = String(process); exports.k = Object.keys(process); const { env, argv } = process;`,
])('a common use of module, require or process by libraries is allowed: %s', (source) => {
  expect(wrongIn('a.cjs', source)).toBeUndefined();
});

// Turns a chunk into a script and a module that runs it. V8 keeps what it has compiled of a script
// in a form that other threads can take; of a module it does not, before Node 22. Which thread
// gives it and how it travels: `compiled-runtime.ts` of core.
import { basename } from 'node:path';

const IMPORT = /^import \{ (.+) \} from (".+");$/gm;
const EXPORT = /^export \{ (.+) \};$/m;

const withoutComments = (code) => code.replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');

/** `a as b` pairs. */
const pairs = (list) => list.split(', ').map((each) => each.split(' as '));

/**
 * In ASCII: of anything else V8 makes a string of twice the size, in each thread, and reads it more
 * slowly.
 */
const ascii = (code) =>
  code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * The code of both, for a chunk of rolldown's in the file `fileName`; the lines of the script are
 * those of the chunk.
 */
export function splitIntoScript(code, fileName) {
  const imported = [];
  const body = code
    .replace(IMPORT, (_, names, from) => {
      imported.push({ names: pairs(names), from });
      return '';
    })
    .replaceAll('import.meta.url', '$url')
    // A script that V8 has from a cache has lost, before Node 22, whom to ask for a module.
    .replaceAll(/\bawait import\(/g, 'await $import(');
  const exported = pairs(EXPORT.exec(body)?.[1] ?? '');
  const others = body.replace(EXPORT, '').replaceAll(/\bimport\([\w$]*\) \{|[.#]import\(/g, '');
  if (/^(?:import|export) |(?<![$.#\w])import\(/m.test(withoutComments(others)))
    throw new Error(`${fileName} is of another form`);
  const modules = imported.map((_, index) => `$${index}`);
  const constants = imported.map(
    ({ names }, index) => `const { ${names.map((pair) => pair.join(': ')).join(', ')} } = $${index};`,
  );
  const results = exported.map(([own, name = own]) => `${name}: ${own}`);
  const script = body.replace(EXPORT, () => `return { ${results.join(', ')} };\n})`);
  const file = basename(fileName).replace(/\.js$/, '.script.js');
  const module = `${imported.map(({ from }, index) => `import * as $${index} from ${from};`).join('\n')}
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { getEnvironmentData } from 'node:worker_threads';
const KEY = 'ginit compiled runtime';
const filename = fileURLToPath(new URL('./${file}', import.meta.url));
const known = getEnvironmentData(KEY)?.['${file}'];
const script = new Script(readFileSync(filename, 'latin1'), {
  filename,
  ...(known instanceof SharedArrayBuffer ? { cachedData: new Uint8Array(known) } : {}),
});
(globalThis[Symbol.for(KEY)] ??= {})['${file}'] = () => script.createCachedData();
const exports = script.runInThisContext()(${['import.meta.url', '(specifier) => import(specifier)', ...modules].join(', ')});
export const { ${exported.map(([own, name = own]) => name).join(', ')} } = exports;
`;
  return {
    file,
    script: ascii(
      `(function (${['$url', '$import', ...modules].join(', ')}) { 'use strict'; ${constants.join(' ')} ${script}`,
    ),
    module,
  };
}

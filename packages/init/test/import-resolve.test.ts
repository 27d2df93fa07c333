/**
 * Compares where imports lead with Node itself: with `import.meta.resolve` and `require.resolve` in
 * a process started as those of components are, over random packages with maps, patterns, links and
 * gaps.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ImportResolver, PackageFiles } from '../src/command/imports/index.ts';

let directory = '';
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'ginit-resolve-')));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Answers questions `[kind, specifier, file]` as Node does. */
const ORACLE = `
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
const answers = JSON.parse(readFileSync(0, 'utf8')).map(([kind, specifier, file]) => {
  try {
    if (kind === 'require') {
      const found = createRequire(file).resolve(specifier);
      return isBuiltin(found) ? found.replace(/^node:/, '') : realpathSync(found);
    }
    const url = import.meta.resolve(specifier, pathToFileURL(file).href);
    if (url.startsWith('node:')) return url.slice(5);
    const path = fileURLToPath(url);
    return existsSync(path) && statSync(path).isFile() ? realpathSync(path) : null;
  } catch { return null; }
});
process.stdout.write(JSON.stringify(answers));`;

type Question = readonly [kind: 'import' | 'require', specifier: string, file: string];

function askNode(questions: readonly Question[], conditions: readonly string[]): readonly unknown[] {
  const oracle = join(directory, 'oracle.mjs');
  writeFileSync(oracle, ORACLE);
  const flags = ['--experimental-import-meta-resolve', ...conditions.map((one) => `--conditions=${one}`)];
  const output = execFileSync(process.execPath, [...flags, oracle], {
    input: JSON.stringify(questions),
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
    encoding: 'utf8',
  });
  const answers: unknown = JSON.parse(output);
  return Array.isArray(answers) ? answers : [];
}

function askOurs(questions: readonly Question[], conditions: readonly string[]): readonly unknown[] {
  const resolver = new ImportResolver(new PackageFiles(), conditions);
  return questions.map(([kind, specifier, file]) => {
    const { path, builtin } = resolver.find(kind, specifier, file);
    return builtin ?? path ?? null;
  });
}

/**
 * The conditions of the test: every condition that Node's documentation names
 * (https://nodejs.org/api/packages.html#conditional-exports and, below it, those of the community),
 * one that components have, and one that nobody has.
 */
const CONDITIONS = [
  'node-addons',
  'node',
  'import',
  'require',
  'module-sync',
  'default',
  'types',
  'browser',
  'development',
  'production',
  'deno',
  'ours',
  'none',
] as const;
const target = fc.constantFrom(
  './a.js',
  './lib/b.mjs',
  './lib/*.js',
  './lib/*',
  './*/index.js',
  './missing.js',
  './lib',
  './../other/index.js',
  'other',
  'fs',
  './node_modules/x.js',
  './a%2ejs',
  '/a.js',
);
const conditional = fc.letrec<{ any: unknown; object: unknown; list: unknown }>((tie) => ({
  any: fc.oneof({ depthSize: 'small', maxDepth: 3 }, target, fc.constant(null), tie('object'), tie('list')),
  object: fc.dictionary(fc.constantFrom(...CONDITIONS), tie('any'), { minKeys: 1, maxKeys: 4 }),
  list: fc.array(tie('any'), { maxLength: 3 }),
})).any;
const subpaths = fc.constantFrom(
  '.',
  './b',
  './lib/*',
  './lib/*.js',
  './l*',
  './lib/private/*',
  './lib/b',
  './*',
  './a/',
);
const exportsMap = fc.oneof(conditional, fc.dictionary(subpaths, conditional, { minKeys: 1, maxKeys: 5 }));
const importsMap = fc.dictionary(fc.constantFrom('#a', '#lib/*', '#lib/b*', '#fs'), conditional, {
  maxKeys: 4,
});
const main = fc.constantFrom(undefined, './a.js', 'a', './lib', 'lib/', './missing', '');

interface Layout {
  readonly exports: unknown;
  readonly imports: unknown;
  readonly main: string | undefined;
  readonly linked: boolean;
}
const layout: fc.Arbitrary<Layout> = fc.record({
  exports: fc.oneof(fc.constant(undefined), exportsMap),
  imports: importsMap,
  main,
  linked: fc.boolean(),
});

const SPECIFIERS = [
  'pkg',
  'pkg/',
  'pkg/b',
  'pkg/a',
  'pkg/a.js',
  'pkg/lib',
  'pkg/lib/b',
  'pkg/lib/b.js',
  'pkg/lib/b.mjs',
  'pkg/lib/private/x.js',
  'pkg/missing',
  'pkg/package.json',
  'other',
  'other/index.js',
  '@scope/pkg',
  '@scope/pkg/x.js',
  '@scope',
  'none',
  'fs',
  'node:fs',
  '#a',
  '#lib/b',
  '#lib/b.js',
  '#fs',
  '#none',
  '#',
  './x',
  './x.js',
  './data',
  './dir',
  './dir/',
  '.',
  '..',
  './',
  '../main.mjs',
  './x%2ejs',
  './x.js?a',
];

/** Writes a layout into a directory of its own. The result lists the questions to ask there. */
function questionsOf({ exports, imports, main: entry, linked }: Layout, root: string): Question[] {
  const write = (file: string, content: unknown = ''): void => {
    const path = join(root, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  };
  const own = linked ? 'store/pkg' : 'node_modules/pkg';
  write(`${own}/package.json`, { name: 'pkg', exports, imports, main: entry });
  const modules = ['a.js', 'b.js', 'lib/index.js', 'lib/b.js', 'lib/b.mjs', 'lib/private/x.js', 'x.js'];
  for (const file of modules) write(`${own}/${file}`);
  write(`${own}/dir/package.json`, { main: '../a' });
  write(`${own}/data.json`, {});
  if (linked) {
    mkdirSync(join(root, 'node_modules'));
    symlinkSync(join(root, own), join(root, 'node_modules', 'pkg'));
  }
  write('node_modules/other/index.js');
  write('node_modules/@scope/pkg/x.js');
  write('package.json', { name: 'outer', imports });
  for (const file of ['main.mjs', 'x.js', 'dir/index.json', 'index.js', 'lib/b.js', 'a.js']) write(file);
  const files = [join(root, 'main.mjs'), join(root, own, 'lib/b.js'), join(root, own, 'x.js')];
  return (['import', 'require'] as const).flatMap((kind) =>
    files.flatMap((file) => SPECIFIERS.map((specifier): Question => [kind, specifier, file])),
  );
}

test.each(CONDITIONS)('Node and we agree whether the condition "%s" holds', (condition) => {
  const root = join(directory, `condition-${condition}`);
  const holds = { [condition]: './holds.js', default: './default.js' };
  const maps = { exports: { '.': holds }, imports: { '#own': holds } };
  for (const own of ['', 'node_modules/pkg']) {
    mkdirSync(join(root, own), { recursive: true });
    writeFileSync(join(root, own, 'package.json'), JSON.stringify({ name: 'x', ...maps }));
    for (const file of ['holds.js', 'default.js']) writeFileSync(join(root, own, file), '');
  }
  const questions = (['import', 'require'] as const).flatMap((kind) =>
    ['pkg', '#own'].map((specifier): Question => [kind, specifier, join(root, 'main.mjs')]),
  );
  const node = askNode(questions, ['ours']);
  expect(node).not.toContain(null);
  expect(askOurs(questions, ['ours'])).toEqual(node);
});

test('imports lead where Node finds them', () => {
  const layouts = fc.sample(layout, 60);
  const questions = layouts.flatMap((one, index) => questionsOf(one, join(directory, `layout${index}`)));
  const node = askNode(questions, ['ours']);
  const ours = askOurs(questions, ['ours']);
  const differences = questions.flatMap(([kind, specifier, file], index) => {
    if (node[index] === ours[index]) return [];
    // Node 20 throws for a `require` of a name that a package maps to a module of Node. We resolve
    // it to that module.
    if (kind === 'require' && specifier.startsWith('#') && ours[index] === 'fs') return [];
    const number = Number(/layout(\d+)/.exec(file)?.[1]);
    return [
      {
        kind,
        specifier,
        file,
        node: node[index],
        ours: ours[index],
        layout: JSON.stringify(layouts[number]),
      },
    ];
  });
  expect(differences.slice(0, 5)).toEqual([]);
  // Enough questions had an answer, so the comparison means something.
  expect(node.filter((answer) => answer !== null).length).toBeGreaterThan(1000);
});

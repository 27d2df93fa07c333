/** Imports go downward only: between the packages, and between the rooms of each package. */
import { expect, test } from 'vitest';
import { PACKAGES, roomOf } from './rooms.ts';
import { importsOf, sourceFiles } from './source-files.ts';

/** Only these may import Node's own modules: everything else reaches the world through env. */
const HOST_ROOMS = [
  /^packages\/core\/src\/platform\//,
  /^packages\/simulator\/src\//,
  /^packages\/init\/src\/command\//,
  /^packages\/rumpfs\/src\/node\//,
  /^packages\/sharedarraybuffer-polyfill\/src\//,
];

/** What gives no authority, so that components may import it, too. */
const HARMLESS = ['node:zlib', 'node:stream'];

const packageOf = (file: string): string => /^packages\/([^/]+)\/src\//.exec(file)?.[1] ?? '';

test('packages import only packages below them', () => {
  const wrong = sourceFiles().flatMap((file) =>
    importsOf(file)
      .map(({ specifier }) => /^(?:@ginit\/)?([^./][^/]*)/.exec(specifier)?.[1])
      .filter((name) => name !== undefined && PACKAGES.includes(name) && name !== packageOf(file))
      .filter((name) => PACKAGES.indexOf(name ?? '') <= PACKAGES.indexOf(packageOf(file)))
      .map((name) => `${file} imports ${name}`),
  );
  expect(wrong).toEqual([]);
});

test('every file lies in a room of the plan', () => {
  expect(sourceFiles().filter((file) => roomOf(file) === undefined)).toEqual([]);
});

test('rooms import only rooms of their own row and below, and two rooms of a row in one direction', () => {
  const across = new Map<string, string>();
  const wrong: string[] = [];
  for (const file of sourceFiles()) {
    const room = roomOf(file);
    for (const { specifier, target } of importsOf(file)) {
      const other = target === undefined ? undefined : roomOf(target);
      if (!room || !other || packageOf(target ?? '') !== packageOf(file)) continue;
      const text = `${file} imports ${specifier}`;
      if (other.row < room.row) wrong.push(text);
      if (other.row !== room.row || other.name === room.name) continue;
      across.set(`${packageOf(file)} ${room.name} ${other.name}`, text);
      const back = across.get(`${packageOf(file)} ${other.name} ${room.name}`);
      if (back !== undefined) wrong.push(`${text}, and ${back}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('no files import each other in a circle', () => {
  expect(circles(new Map(sourceFiles().map((file) => [file, targetsOf(file)])))).toEqual([]);
});

test('a circle is found, however long it is', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', ['d2']],
    ['d2', []],
  ]);
  expect(circles(graph)).toEqual([['a', 'b', 'c']]);
});

const targetsOf = (file: string): string[] =>
  importsOf(file).flatMap(({ target }) => (target === undefined ? [] : [target]));

/** The groups of files each of which leads to all others of its group; Tarjan's algorithm. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    const own = index.size;
    index.set(file, own);
    low.set(file, own);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      const reached = index.has(next) ? (stack.includes(next) ? (index.get(next) ?? own) : own) : visit(next);
      low.set(file, Math.min(low.get(file) ?? own, reached));
    }
    if (low.get(file) === own) {
      const group = stack.splice(stack.indexOf(file));
      if (group.length > 1) found.push(group.toSorted());
    }
    return low.get(file) ?? own;
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
}

test('only platforms, the command and shared memory import modules of Node that give authority', () => {
  const wrong = sourceFiles()
    .filter((file) => !HOST_ROOMS.some((room) => room.test(file)))
    .flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => specifier.startsWith('node:') && !HARMLESS.includes(specifier))
        .map(({ specifier }) => `${file} imports ${specifier}`),
    );
  expect(wrong).toEqual([]);
});

/** Every rule of init names tests that exist: docs/init-rules.md is no list of wishes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, read } from '../house/source-files.ts';

const MANUAL = 'docs/init-rules.md';
/** Folders of `test/`; every other first word is a package. */
const SHARED = ['conformance', 'crash', 'docs', 'house', 'scenarios', 'sim'];

interface NamedTest {
  readonly rule: string;
  /** As in the manual: `init/plan`. */
  readonly file: string;
  readonly title: string;
}

const rows = (): (readonly [rule: string, tests: string])[] =>
  [...read(MANUAL).matchAll(/^\| (.+) \| (`.+) \|$/gm)].map(([, rule = '', tests = '']) => [rule, tests]);

/** The tests of a row: a title without a file belongs to the file before it. */
function namedTests([rule, tests]: readonly [string, string]): NamedTest[] {
  let file = '';
  return [...tests.matchAll(/(?:`([a-z]+\/[a-z-]+)` )?"((?:[^"\\]|\\.)+)"/g)].map(([, named, title = '']) => {
    file = named ?? file;
    return { rule, file, title: title.replaceAll('\\"', '"') };
  });
}

function pathOf(file: string): string {
  const [place = '', name = ''] = file.split('/');
  return SHARED.includes(place) ? `test/${file}.test.ts` : `packages/${place}/test/${name}.test.ts`;
}

/** Whether a file has a test, a group or a row with this title. */
function isThere({ file, title }: NamedTest): boolean {
  if (file === 'init/wrong') return existsSync(join(ROOT, `packages/init/test/wrong/${title}.expected`));
  const path = pathOf(file);
  if (!existsSync(join(ROOT, path))) return false;
  const text = read(path);
  return ["'", '"', '`'].some((quote) => text.includes(quote + title + quote));
}

test('every rule of init names a test, and every test that is named exists', () => {
  const all = rows();
  expect(all.length).toBeGreaterThan(90);
  expect(all.filter((row) => namedTests(row).length === 0)).toEqual([]);
  expect(all.flatMap(namedTests).filter((named) => !isThere(named))).toEqual([]);
});

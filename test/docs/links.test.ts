/**
 * Whatever a manual leads to is there: files, headings, folders that it names, doors of the
 * packages.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { doorsOf } from '../../scripts/doors.mjs';
import { projectFiles, ROOT, read } from '../house/source-files.ts';

const MANUALS = projectFiles().filter((file) => file.endsWith('.md'));
/** Beginnings of paths from the root of the workspace, as manuals name them. */
const PLACES = ['packages/', 'test/', 'docs/', 'examples/', 'scripts/', 'findings/'];
/** Rooms of core, which manuals name without the folders above them. */
const CORE_ROOMS = [
  'platform',
  'supervisor',
  'runtime',
  'session',
  'channel',
  'capability',
  'interface',
  'message',
];

/** A manual without what stands in its blocks of code. */
const prose = (file: string): string => read(file).replace(/^```[^]*?^```$/gm, '');

/** Anchors of the headings of a manual, as they are shown. */
function anchors(file: string): Set<string> {
  const found = new Set<string>();
  for (const [, title = ''] of prose(file).matchAll(/^#+ (.+)$/gm)) {
    const text = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const plain = text
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
    let anchor = plain;
    for (let again = 1; found.has(anchor); again++) anchor = `${plain}-${again}`;
    found.add(anchor);
  }
  return found;
}

test('links of manuals lead to files and headings that exist', () => {
  const broken = MANUALS.flatMap((file) =>
    [...prose(file).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? file : join(dirname(file), path);
        if (!existsSync(join(ROOT, target))) return true;
        return anchor !== undefined && !anchors(target).has(anchor);
      })
      .map((link) => `${file}: ${link}`),
  );
  expect(broken).toEqual([]);
});

/** Whether there is such a file or folder; `*` stands for anything. */
function exists(path: string, files: readonly string[]): boolean {
  const pattern = path
    .replace(/\/$/, '')
    .replace(/[.+?^$()|[\]\\]/g, '\\$&')
    .replace(/\{([^}]*)\}/g, (_, words: string) => `(${words.replaceAll(',', '|')})`)
    .replace(/\*+/g, '.*');
  return files.some((file) => new RegExp(`^${pattern}(/|$)`).test(file));
}

test('paths that manuals name exist', () => {
  const files = projectFiles();
  const wrong = MANUALS.filter((file) => file !== 'CHANGELOG.md').flatMap((file) =>
    [...prose(file).matchAll(/`([\w@.*{},-]+(?:\/[\w@.*{},-]+)+\/?)`/g)]
      .map(([, path = '']) => path)
      .filter((path) => {
        const [ownPackage = ''] = /^packages\/[^/]+\//.exec(file) ?? [];
        const isPlace = PLACES.some((place) => path.startsWith(place));
        if (isPlace) return !exists(path, files) && !exists(ownPackage + path, files);
        const [room = ''] = path.split('/');
        return CORE_ROOMS.includes(room) && !exists(`packages/core/src/${path}`, files);
      })
      .map((path) => `${file}: ${path}`),
  );
  expect(wrong).toEqual([]);
});

test('imports from ginit in manuals name doors, and what these export', () => {
  const wrong = MANUALS.flatMap((file) =>
    [...read(file).matchAll(/import (?:type )?(?:\{([^}]*)\}|[^;{]*?) from '(@ginit\/[^']+)'/g)].flatMap(
      ([line, names = '', specifier = '']) => {
        const exported = doorsOf(specifier)?.get(specifier);
        if (exported === undefined) return [`${file}: ${specifier} is no door`];
        return names
          .split(',')
          .map((name) =>
            name
              .trim()
              .replace(/^type /, '')
              .replace(/ as .*$/, ''),
          )
          .filter((name) => name !== '' && !exported.has(name))
          .map((name) => `${file}: ${name} is not exported (${line})`);
      },
    ),
  );
  expect(wrong).toEqual([]);
});

test('manuals name no door that does not exist', () => {
  const wrong = MANUALS.flatMap((file) =>
    [...read(file).matchAll(/`(@ginit\/[\w-]+(?:\/[\w/-]+)?)`/g)]
      .map(([, specifier = '']) => specifier)
      .filter((specifier) => doorsOf(specifier)?.has(specifier) === false)
      .map((specifier) => `${file}: ${specifier}`),
  );
  expect(wrong).toEqual([]);
});

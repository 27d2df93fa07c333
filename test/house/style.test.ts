/** House rules that a linter does not check. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { miscalledConstants } from './constants.ts';
import { projectFiles, ROOT, read, sourceFiles } from './source-files.ts';

const LINE_WIDTH = 130;
const FILE_LINES = 450;
const COMMENT_WIDTH = 100;

/** Whether a line is a comment, or part of one. */
const isComment = (line: string): boolean => /^\s*(\*|\/\/|\/\*)/.test(line);

/** Places of `pattern` in the given files. */
function places(
  files: readonly string[],
  pattern: RegExp,
  except: (line: string) => boolean = () => false,
): string[] {
  return files.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) && !except(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
      ),
  );
}

const program = (name: string, ...args: string[]): { status: number | null; output: string } => {
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'node_modules', '.bin', name), args, { cwd: ROOT });
  return { status, output: `${stdout}${stderr}` };
};

test('the linter has nothing to say', () => {
  const { status, output } = program('oxlint', '--deny-warnings');
  expect(status, output).toBe(0);
});

test('everything is formatted', () => {
  const { status, output } = program('biome', 'format');
  expect(status, output).toBe(0);
});

test('sources contain no any, no ignored errors and no leftovers', () => {
  expect(places(sourceFiles(), /\b(TO[D]O|FIXM[E]|XX[X])\b|@ts-(ignore|expect-error|nocheck)/)).toEqual([]);
  expect(places(sourceFiles(), /\bas any\b|: any\b/, isComment)).toEqual([]);
});

test('components and libraries use no clock, timer or chance of their own', () => {
  const files = sourceFiles().filter(
    (file) =>
      !/core\/src\/platform\/|core\/src\/testing\/|simulator\/src\/|init\/src\/command\/|rumpfs\/src\/node\/|sharedarraybuffer-polyfill\//.test(
        file,
      ),
  );
  const forbidden =
    /\b(Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|setImmediate|performance\.now|process\.)\b/;
  expect(places(files, forbidden, isComment)).toEqual([]);
});

test('constants are in capitals', () => {
  const wrong = projectFiles()
    .filter(
      (file) => /^(packages|scripts|test|examples)\/.*\.(ts|mjs)$/.test(file) && !file.endsWith('.d.ts'),
    )
    .flatMap((file) => miscalledConstants(read(file), file).map((name) => `${file}: ${name}`));
  expect(wrong).toEqual([]);
});

test('the check of constants tells data from values that are made or filled at run time', () => {
  const wrong = (text: string): string[] => miscalledConstants(text, 'example.ts');
  expect(wrong('const sizeMax = 2 * 512;')).toEqual(['sizeMax']);
  expect(
    wrong('export const kinds = ["a", "b"] as const; export type Kind = (typeof kinds)[number];'),
  ).toEqual(['kinds']);
  expect(
    wrong('const first = 1; const table: ReadonlyMap<string, number> = new Map([["a", first]]);'),
  ).toEqual(['first', 'table']);
  expect(wrong('const pattern = /a/u; const most = Number.MAX_SAFE_INTEGER;')).toEqual(['pattern', 'most']);
  expect(wrong('const SIZE = 512; const LIST = [SIZE];')).toEqual([]);
  expect(wrong('export const Kind = { a: 1 } as const; export type Kind = 1;')).toEqual([]);
  expect(
    wrong('const waiting = []; const room = new Uint8Array(8); const shape = record({}); let next = 1;'),
  ).toEqual([]);
});

test('folders with underscores are named after services and components', () => {
  const named = new Set([
    'file_system',
    'dynamic_rom',
    'block_tester',
    'fault_block',
    'file_block',
    'fs_rom',
    'fs_tool',
    'host_rom',
    'http_block',
    'image_block',
    'nbd_block',
    'nbd_server',
    'part_block',
    'ram_block',
    'snapshot_block',
    'vfs_block',
    'ram_fs',
    'framebuffer_png',
    'log_report',
    'report_log',
    'report_rom',
    'rom_block',
    'rom_filter',
    'socket_terminal',
    'terminal_crosslink',
    'terminal_log',
    'trace_fs',
  ]);
  const folders = projectFiles().flatMap((file) =>
    file.startsWith('packages/') ? file.split('/').slice(0, -1) : [],
  );
  expect([...new Set(folders)].filter((folder) => folder.includes('_') && !named.has(folder))).toEqual([]);
});

test('lines and files are short', () => {
  expect(places(sourceFiles(), new RegExp(`^.{${LINE_WIDTH + 1},}$`))).toEqual([]);
  expect(sourceFiles().filter((file) => read(file).split('\n').length > FILE_LINES)).toEqual([]);
});

test('comments are wrapped, except tables, layouts and examples', () => {
  const prose = new RegExp(`^\\s*(//|\\*|/\\*\\*?) ?[^ |*-].*$`);
  const wide = (line: string): boolean => line.length > COMMENT_WIDTH && prose.test(line);
  const found = sourceFiles().flatMap((file) =>
    read(file)
      .split('\n')
      .filter((line) => isComment(line) && wide(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});

test('nothing names a machine, a session or a registry', () => {
  const text = projectFiles().filter((file) => /\.(ts|mjs|js|json|md|xml|yaml|txt)$|\.ci\/run$/.test(file));
  // In brackets, so that this line does not name them itself.
  const names = '/wor[k]/|registry\\.np[m]|deb\\.debia[n]|/roo[t]/';
  expect(places(text, new RegExp(names))).toEqual([]);
});

test('every component has a README', () => {
  const components = sourceFiles()
    .filter((file) => file.endsWith('/main.ts') && /packages\/(os|block|blockcache|rumpfs|vmm)\//.test(file))
    .map((file) => file.replace(/\/src\/main\.ts$|\/main\.ts$/, ''));
  const files = new Set(projectFiles());
  expect(components.filter((directory) => !files.has(`${directory}/README.md`))).toEqual([]);
});

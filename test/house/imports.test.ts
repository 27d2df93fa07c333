/** Imports go downward only: between the packages, and between the rooms of core. */
import { expect, test } from 'vitest';
import { importsOf, sourceFiles } from './source-files.ts';

/** Highest first (docs: the room plan). */
const PACKAGES = [
  'init',
  'dashboard',
  'vmm',
  'rumpfs',
  'blockcache',
  'os',
  'simulator',
  'core',
  'sharedarraybuffer-polyfill',
];

/** Rooms of core, highest first; files of one row may import each other. */
const CORE_ROOMS: readonly (readonly string[])[] = [
  ['supervisor.ts', 'testing.ts'],
  ['testing'],
  ['platform.ts'],
  ['platform'],
  ['index.ts', 'async.ts', 'block.ts', 'config.ts', 'file_system.ts', 'host.ts', 'system.ts'],
  ['supervisor'],
  ['runtime', 'env.ts', 'component.ts'],
  ['session'],
  ['channel'],
  ['capability'],
  ['memory'],
  ['interface'],
  ['message'],
  ['packet-stream'],
  ['policy.ts'],
  ['config'],
  ['label.ts'],
  ['async', 'limits.ts', 'costs.ts', 'errors.ts', 'log-text.ts', 'slot-lists.ts', 'byte-text.ts'],
];

/** Only these may import Node's own modules: everything else reaches the world through env. */
const HOST_ROOMS = [
  /^packages\/core\/src\/platform\//,
  /^packages\/simulator\/src\//,
  /^packages\/init\/src\/command\//,
  /^packages\/sharedarraybuffer-polyfill\/src\//,
];

const packageOf = (file: string): string => /^packages\/([^/]+)\//.exec(file)?.[1] ?? '';
const coreRoom = (file: string): number => {
  const room = /^packages\/core\/src\/([^/]+)/.exec(file)?.[1] ?? '';
  return CORE_ROOMS.findIndex((rooms) => rooms.includes(room));
};

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

test('the rooms of core import only rooms below them', () => {
  const wrong = sourceFiles()
    .filter((file) => packageOf(file) === 'core')
    .flatMap((file) => {
      expect(coreRoom(file), `${file} is in no room of the plan`).toBeGreaterThanOrEqual(0);
      return importsOf(file)
        .filter(({ target }) => target !== undefined && coreRoom(target) < coreRoom(file))
        .map(({ specifier }) => `${file} imports ${specifier}`);
    });
  expect(wrong).toEqual([]);
});

test('only platforms, the command and shared memory import modules of Node', () => {
  const wrong = sourceFiles()
    .filter((file) => !HOST_ROOMS.some((room) => room.test(file)))
    .flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => specifier.startsWith('node:'))
        .map(({ specifier }) => `${file} imports ${specifier}`),
    );
  expect(wrong).toEqual([]);
});

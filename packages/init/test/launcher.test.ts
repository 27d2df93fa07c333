/** Tests how the program that has started us is found by the arguments of our ancestors. */
import { expect, test } from 'vitest';
import { isThere, launcherOf, type ProcessTable } from '../src/command/launcher.ts';

const UNDER_NPM = { npm_execpath: '/usr/lib/node_modules/npm/bin/npm-cli.js' };

/** A table of processes: the first is 100, its parent 101 and so on. */
function tableOf(
  ancestors: readonly (readonly string[])[],
  parents = new Map<number, number>(),
): ProcessTable {
  return {
    parentOf: (pid) => parents.get(pid) ?? (pid - 100 < ancestors.length ? pid + 1 : undefined),
    argumentsOf: (pid) => ancestors[pid - 101],
  };
}

test.each<[string, string[][], number | undefined]>([
  [
    'npx, by way of a shell',
    [
      ['sh', '-c', 'ginit'],
      ['npm', 'exec', 'ginit', 'c.xml', ''],
    ],
    2,
  ],
  ['npx whose shell has become ginit', [['npm', 'exec', 'ginit']], 1],
  ['pnpm', [['/usr/bin/node', '/opt/pnpm/bin/pnpm.cjs', 'exec', 'ginit']], 1],
  ['a script of a script', [['sh', '-c'], ['node', '/x/npm-cli.js', 'run'], ['sh'], ['npm']], 2],
  [
    'a shell in a terminal of an editor that npm has started',
    [['bash'], ['code', '--x'], ['npm', 'start']],
    undefined,
  ],
  [
    'a program of its own',
    [
      ['node', 'supervise.js'],
      ['npm', 'start'],
    ],
    undefined,
  ],
])('%s', (_name, ancestors, length) => {
  expect(launcherOf(100, UNDER_NPM, tableOf(ancestors))?.length).toBe(length);
});

test('without a package manager in the environment no launcher is looked for', () => {
  expect(launcherOf(100, {}, tableOf([['npm', 'exec']]))).toBeUndefined();
});

test('a process whose parent has changed, or whose shell has lost its parent, has lost its launcher', () => {
  const ancestors = [
    ['sh', '-c', 'ginit'],
    ['npm', 'exec', 'ginit'],
  ];
  const way = launcherOf(100, UNDER_NPM, tableOf(ancestors)) ?? [];
  expect(isThere(way, tableOf(ancestors))).toBe(true);
  expect(isThere(way, tableOf(ancestors, new Map([[100, 1]])))).toBe(false);
  expect(isThere(way, tableOf(ancestors, new Map([[101, 1]])))).toBe(false);
});

/**
 * The components of ROMs, reports and files in whole systems: the example, and its orders of
 * events.
 */
import { join } from 'node:path';
import { simulate, simulateSeeds } from '@ginit/init/testing';
import { expect, test, vi } from 'vitest';
import { ROOT } from '../../../test/house/source-files.ts';

// Each run reads manifests in a process of its own.
vi.setConfig({ testTimeout: 300_000 });

const ROMS = join(ROOT, 'examples', 'roms.xml');
const LINES = [
  '[init -> tool] cat /app.config: <config verbose="yes">',
  '[init -> tool] cat /app.config:   <library/>',
  '[init -> tool] cat /app.config: </config>',
  '[init -> tool] cat /motd: Welcome!',
  '[init -> tool] write /note: 14 bytes',
  '[init -> tool] ls /: file 46 app.config',
  '[init -> tool] ls /: file 8 motd',
  '[init -> tool] ls /: file 14 note',
  '[init -> tool] fs_tool done',
];

test('a content goes from a ROM through a filter, a file, a ROM of it, into another file', async () => {
  const run = await simulate({ config: ROMS, shareModules: true });
  expect(run).toMatchObject({ exitCode: 0, problem: undefined });
  expect(run.log.filter((line) => line.startsWith('[init -> tool]'))).toEqual(LINES);
});

test('it does so whatever happens first', async () => {
  const { failure } = await simulateSeeds({ config: ROMS, seeds: [1, 20], jobs: 1, shareModules: true });
  expect(failure?.replay).toBeUndefined();
});

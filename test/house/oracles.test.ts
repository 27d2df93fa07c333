/** Programs that tests need are installed before them, where that is possible. */
import { expect, test } from 'vitest';
import { ORACLES } from '../../scripts/oracles.mjs';
import { projectFiles, read } from './source-files.ts';

/** Programs that every Debian has, or that are no business of a test run to install. */
const NOT_INSTALLED_BY_US = ['apt-config', 'apt-get', 'cc', 'dpkg-deb', 'make', 'python3', 'script'];

test('the packages of all programs without which tests are skipped are on the list of those to install', () => {
  const wanted = new Set<string>();
  for (const file of projectFiles().filter((name) => /(^|\/)test\/.*\.ts$/.test(name))) {
    for (const [, list = ''] of read(file).matchAll(/\bmissingOf\(([^)]*)\)/g))
      for (const [, name = ''] of list.matchAll(/'([^']+)'/g)) wanted.add(name);
  }
  expect(wanted.size).toBeGreaterThan(20);
  const known = new Set([...Object.values(ORACLES).flat(), ...NOT_INSTALLED_BY_US]);
  expect([...wanted].filter((name) => !known.has(name))).toEqual([]);
});

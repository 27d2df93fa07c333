/** The bundles of our packages (made by the build) find one another. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './source-files.ts';

const IMPORTED = /\b(?:from|import)\s*\(?\s*["']((?:@ginit\/|sharedarraybuffer-polyfill)[^"']*)["']/g;
/** Resolves each pair of a file and a name that it imports, as a component's thread does. */
const RESOLVE = `
  import { existsSync, readFileSync } from 'node:fs';
  import { fileURLToPath, pathToFileURL } from 'node:url';
  const found = [];
  for (const [file, name] of JSON.parse(readFileSync(0, 'utf8'))) {
    let there = false;
    try {
      there = existsSync(fileURLToPath(import.meta.resolve(name, pathToFileURL(file).href)));
    } catch {}
    if (!there) found.push(file + ' imports ' + name);
  }
  console.log(JSON.stringify(found));
`;

test('everything of ours that a bundle imports has a bundle, too', () => {
  const files = readdirSync(join(ROOT, 'packages'))
    .flatMap((name) => filesBelow(join(ROOT, 'packages', name, 'bundle')))
    .filter((file) => file.endsWith('.js'));
  const wanted = files.flatMap((file) =>
    Array.from(readFileSync(file, 'utf8').matchAll(IMPORTED), ([, name]) => [file, name]),
  );
  expect(wanted.length).toBeGreaterThan(20);
  const flags = ['--conditions=ginit-bundle', '--experimental-import-meta-resolve', '--input-type=module'];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', RESOLVE], {
    input: JSON.stringify(wanted),
    encoding: 'utf8',
  });
  expect(JSON.parse(stdout), stderr).toEqual([]);
});

/** The files of a directory and those below it; none if it is not there. */
function filesBelow(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name));
  } catch {
    return [];
  }
}

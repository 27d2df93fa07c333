// Draws which rooms of the house import which: npm run graph [-- --check]. The plan of the rooms is
// test/house/rooms.json, the arrows are counted from the code. Writes docs/rooms.svg; with --check
// it only says whether that is current.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drawing } from './graph/drawing.mjs';
import { arrowsOf, roomsOf } from './graph/rooms.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const SVG = join(root, 'docs', 'rooms.svg');
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g;

/**
 * Source files of the packages, with what each imports: a path from the root, or the name of a
 * package.
 */
function readImports() {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'packages'], {
    cwd: root,
  });
  const files = list
    .toString()
    .split('\n')
    .filter((file) => /^packages\/[^/]+\/src\/.*\.ts$/.test(file) && existsSync(join(root, file)));
  return new Map(
    files.map((file) => {
      const found = [...readFileSync(join(root, file), 'utf8').matchAll(IMPORT)];
      return [
        file,
        found.map(([, specifier]) =>
          specifier.startsWith('.') ? join(dirname(file), specifier) : specifier,
        ),
      ];
    }),
  );
}

const plan = JSON.parse(readFileSync(join(root, 'test', 'house', 'rooms.json'), 'utf8'));
const imports = readImports();
const svg = drawing(roomsOf(plan, imports), arrowsOf(plan, imports));
if (!process.argv.includes('--check')) {
  writeFileSync(SVG, svg);
} else if (!existsSync(SVG) || readFileSync(SVG, 'utf8') !== svg) {
  console.error('graph: docs/rooms.svg is not current: npm run graph');
  process.exit(1);
}

/** The checkers share no code with the drivers, so that neither hides a mistake of the other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SOURCES = join(import.meta.dirname, '..', 'src');
/** What a checker may use besides its own room: what an error is, and how a device is read. */
const ALLOWED = /^(\.\.\/)+(errors|hypercall\/hypercalls)\.ts$/;

test('a checker imports nothing but its own room, errors and the device', () => {
  const checkers = join(SOURCES, 'check');
  const files = readdirSync(checkers, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  expect(files.length).toBeGreaterThan(15);
  const foreign = files.flatMap((file) => {
    const depth = file.split('/').length - 1;
    const imports = [...readFileSync(join(checkers, file), 'utf8').matchAll(/ from '([^']+)'/g)].map(
      ([, path = '']) => path,
    );
    const inside = (path: string): boolean =>
      path.startsWith('./') || (depth === 1 && /^\.\.\/[a-z-]+\.ts$/.test(path));
    return imports.filter((path) => !inside(path) && !ALLOWED.test(path)).map((path) => `${file}: ${path}`);
  });
  expect(foreign).toEqual([]);
});

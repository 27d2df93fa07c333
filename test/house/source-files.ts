/** The project's own source files, for the tests that check house rules. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the workspace. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Files of the project, tracked or about to be, by path from the root. */
export function projectFiles(): string[] {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  return list
    .toString()
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)));
}

/** TypeScript sources of the packages, tests left out. */
export function sourceFiles(): string[] {
  return projectFiles().filter((file) => /^packages\/[^/]+\/src\/.*\.ts$/.test(file));
}

export function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** One import of a file: what it names, and the file of the project that this is, if it is one. */
export interface Import {
  readonly specifier: string;
  readonly target: string | undefined;
}

/** Imports, re-exports and dynamic imports of a file. */
export function importsOf(file: string): Import[] {
  const found = read(file).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g);
  return [...found].map(([, specifier = '']) => ({
    specifier,
    target: specifier.startsWith('.') ? join(dirname(file), specifier) : undefined,
  }));
}

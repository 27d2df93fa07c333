/**
 * The files that a jailed process reads besides those of its component's import graph: the helper
 * thread of shared memory, which is started when a thread first waits for another process, and
 * koffi, which each thread loads again. Everything else of our runtime is in the graph, or was
 * loaded before the process locks itself up. Nothing of /proc is readable, so V8 does not find
 * where it is mapped: with that map it would map itself again for each thread, which the filter
 * forbids.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUNDLED } from '../host/form.ts';
import type { SystemCalls } from './system-calls.ts';

let found: readonly string[] | undefined;
let foundForReader: readonly string[] | undefined;

/** The real paths of these files. */
export function runtimeFiles(calls: SystemCalls): readonly string[] {
  found ??= [...sharedMemoryFiles(), ...calls.koffiFiles.flatMap((file) => [file, ...packageFileOf(file)])];
  return found;
}

/** The modules of this package that the threads of the process which reads manifests load. */
export function readerFiles(calls: SystemCalls): readonly string[] {
  foundForReader ??= [...runtimeFiles(calls), ...ownFiles()];
  return foundForReader;
}

function ownFiles(): string[] {
  const root = realpathSync(fileURLToPath(new URL('../../', import.meta.url)));
  return [join(root, '..', 'package.json'), ...modulesBelow(root), ...xmlReaderFiles()];
}

/**
 * The library by which our modules read XML, and the one that it uses. The bundle has them in it.
 */
function xmlReaderFiles(): string[] {
  if (BUNDLED) return [];
  const reader = fileURLToPath(import.meta.resolve('saxes'));
  const characters = createRequire(reader).resolve('xmlchars/package.json');
  const packages = [reader, characters].flatMap((file) => packageFileOf(realpathSync(file)));
  return packages.concat(packages.flatMap((file) => modulesBelow(dirname(file))));
}

function sharedMemoryFiles(): string[] {
  const dist = dirname(fileURLToPath(import.meta.resolve('sharedarraybuffer-polyfill')));
  const root = realpathSync(BUNDLED ? join(dist, '..', 'bundle') : dist);
  return [join(root, '..', 'package.json'), ...modulesBelow(root)];
}

function modulesBelow(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.js')).map((name) => join(directory, name));
}

/** The nearest `package.json` above a file: Node looks there whether the file is a module. */
function packageFileOf(file: string): string[] {
  for (let directory = dirname(file); ; directory = dirname(directory)) {
    const path = join(directory, 'package.json');
    if (existsSync(path)) return [path];
    if (dirname(directory) === directory) return [];
  }
}

/**
 * What a jailed process reads besides the files of its component's import graph, one by one: the helper thread of shared memory,
 * which is started when somebody waits for the first time, and koffi, which each thread loads again. All else of our runtime is
 * either in the graph or loaded before the process locks itself up. Of /proc there is nothing, so V8 does not find where it is
 * mapped: with the map it would map itself again for each thread, which the filter forbids.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUNDLED } from '../host/form.ts';
import type { SystemCalls } from './system-calls.ts';

let found: readonly string[] | undefined;
let foundForReader: readonly string[] | undefined;

/** Their real paths. */
export function runtimeFiles(calls: SystemCalls): readonly string[] {
  found ??= [...sharedMemoryFiles(), ...calls.koffiFiles.flatMap((file) => [file, ...packageFileOf(file)])];
  return found;
}

/** What the threads of the process that reads manifests load besides components: modules of this package. */
export function readerFiles(calls: SystemCalls): readonly string[] {
  foundForReader ??= [...runtimeFiles(calls), ...ownFiles()];
  return foundForReader;
}

function ownFiles(): string[] {
  const root = realpathSync(fileURLToPath(new URL('../../', import.meta.url)));
  return [join(root, '..', 'package.json'), ...modulesBelow(root)];
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

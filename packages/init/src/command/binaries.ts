/**
 * Finds the modules that `<binary name="…"/>` means: a stock component by its short name, a file by a path relative to
 * the config file, or an npm package that is installed beside the config file.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { assert, didYouMean, isRecord } from '@ginit/core';
import type { FindBinary, ResolvedBinary } from '@ginit/core/supervisor';
import { STOCK_NAMES, stockModule } from './stock.ts';

/** A binary that was found, or why it was not. */
export type FoundBinary = { readonly moduleUrl: string } | { readonly problem: string };

/** What may be started in a system: the binaries that its config names, and every stock component. */
export function startable(named: ReadonlyMap<string, ResolvedBinary>): FindBinary {
  return (name) => {
    const known = named.get(name);
    if (known) return known;
    const moduleUrl = stockModule(name);
    return moduleUrl === undefined ? undefined : { moduleUrl };
  };
}

/** The binary of init itself. */
export function initBinary(): ResolvedBinary {
  const moduleUrl = stockModule('init');
  assert(moduleUrl !== undefined, 'init is a stock component');
  return { moduleUrl };
}

/** Finds binaries for a config in one directory. */
export class Binaries {
  readonly #directory: string;

  /** `directory` is the config file's. */
  constructor(directory: string) {
    this.#directory = resolve(directory);
  }

  find(name: string): FoundBinary {
    const stock = stockModule(name);
    if (stock !== undefined) return { moduleUrl: stock };
    if (name.startsWith('file:')) return this.#file(name, new URL(name).pathname);
    const isPath = name.startsWith('.') || isAbsolute(name) || /\.[cm]?[jt]s$/.test(name);
    return isPath ? this.#file(name, resolve(this.#directory, name)) : this.#package(name);
  }

  #file(name: string, path: string): FoundBinary {
    if (!existsSync(path))
      return { problem: `there is no file "${name}" (paths are relative to the config file)` };
    if (!statSync(path).isFile()) return { problem: `"${name}" is not a file` };
    return { moduleUrl: pathToFileURL(path).href };
  }

  #package(name: string): FoundBinary {
    const parts = name.split('/');
    const length = name.startsWith('@') ? 2 : 1;
    const packageName = parts.slice(0, length).join('/');
    const subpath = ['.', ...parts.slice(length)].join('/');
    for (let directory = this.#directory; ; directory = dirname(directory)) {
      const root = join(directory, 'node_modules', packageName);
      if (existsSync(join(root, 'package.json'))) return packageEntry(name, root, subpath);
      if (dirname(directory) === directory) break;
    }
    const hint = didYouMean(name, STOCK_NAMES);
    const own = hint === '' ? ` (a file of your own is named by its path: "./${name}.js")` : hint;
    return { problem: `there is no component "${name}"${own}` };
  }
}

/** Reads a package's entry point; `exports` as Node's documentation on packages describes it, patterns left out. */
function packageEntry(name: string, root: string, subpath: string): FoundBinary {
  const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  if (!isRecord(manifest)) return { problem: `the package.json of "${name}" is not an object` };
  const target = entryTarget(manifest, subpath);
  if (target === undefined) return { problem: `package "${name}" does not export "${subpath}"` };
  const path = join(root, target);
  if (!existsSync(path)) return { problem: `package "${name}" has no file "${target}"` };
  return { moduleUrl: pathToFileURL(path).href };
}

function entryTarget(manifest: Record<string, unknown>, subpath: string): string | undefined {
  const exported = manifest['exports'];
  if (exported === undefined) {
    if (subpath !== '.') return subpath;
    return typeof manifest['main'] === 'string' ? manifest['main'] : 'index.js';
  }
  const bySubpath = isRecord(exported) && Object.keys(exported).some((key) => key.startsWith('.'));
  if (bySubpath) return condition(exported[subpath]);
  return subpath === '.' ? condition(exported) : undefined;
}

function condition(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (!isRecord(target)) return undefined;
  for (const [name, inner] of Object.entries(target)) {
    if (!['node', 'import', 'default', 'module-sync'].includes(name)) continue;
    const found = condition(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

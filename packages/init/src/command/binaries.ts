/**
 * Finds the modules that `<binary name="…"/>` means: a stock component by its short name, a file by
 * a path relative to the config file, or an npm package that is installed beside the config file.
 */
import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { assert } from '@ginit/core';
import { didYouMean } from '@ginit/core/config';
import { prependLabel } from '@ginit/core/system';
import type { FindBinary, ResolvedBinary } from '@ginit/core/supervisor';
import { ATTACHED } from '../model/index.ts';
import { type ComponentImports, CONDITIONS } from './component-imports.ts';
import { ImportResolver, PackageFiles } from './imports/index.ts';
import { isHolderModule, STOCK_NAMES, stockModule } from './stock.ts';
import type { TrustedBinaries } from './trust.ts';

/** A binary that was found, or why it was not. */
export type FoundBinary = { readonly moduleUrl: string } | { readonly problem: string };

/** The modules that a config names to be started. */
export interface NamedBinaries {
  readonly byName: ReadonlyMap<string, ResolvedBinary>;
  readonly trusted: TrustedBinaries;
  /**
   * What was looked for in vain on the way to binaries that are packages: if one of these comes, a
   * name may mean another module.
   */
  readonly absent: readonly string[];
}

/**
 * Tells which binaries may be started in a system, and what that takes of the component that starts
 * one: the binaries that its config names, and every stock component. `imports` knows the import
 * graphs of the latter.
 */
export function startable(
  { byName, trusted }: Pick<NamedBinaries, 'byName' | 'trusted'>,
  imports?: ComponentImports,
): FindBinary {
  const find = (name: string): ResolvedBinary | undefined => {
    if (name === ATTACHED) return { moduleUrl: '', files: [], takes: 'nothing' };
    const moduleUrl = byName.has(name) ? undefined : stockModule(name);
    const found = moduleUrl === undefined ? byName.get(name) : binaryOf(moduleUrl, imports);
    return found && imports ? { ...found, code: () => imports.codeOf(found) } : found;
  };
  return (name, starter) => {
    const binary = find(name);
    if (!binary || binary.takes === 'nothing') return binary;
    const trust = trusted.get(prependLabel(starter, name));
    if (trust === undefined) return binary;
    return { ...binary, takes: trust === 'allowed' ? 'nothing' : 'grant' };
  };
}

/** The binary of init itself. */
export function initBinary(imports?: ComponentImports): ResolvedBinary {
  const moduleUrl = stockModule('init');
  assert(moduleUrl !== undefined, 'init is a stock component');
  return binaryOf(moduleUrl, imports);
}

function binaryOf(moduleUrl: string, imports: ComponentImports | undefined): ResolvedBinary {
  const handsOn = isHolderModule(moduleUrl);
  return imports?.binary(moduleUrl) ?? { moduleUrl, files: [], takes: 'nothing', handsOn };
}

/** Finds binaries for a config in one directory. */
export class Binaries {
  readonly #directory: string;
  readonly #resolver = new ImportResolver(new PackageFiles(), CONDITIONS);
  readonly #known = new Map<string, FoundBinary>();
  readonly #absent = new Set<string>();

  /** `directory` is the config file's. */
  constructor(directory: string) {
    this.#directory = resolve(directory);
  }

  /** See `NamedBinaries`. */
  get absent(): readonly string[] {
    return [...this.#absent];
  }

  /** Several start nodes may name one binary; it is looked up once. */
  find(name: string): FoundBinary {
    const found = this.#known.get(name) ?? this.#lookUp(name);
    this.#known.set(name, found);
    return found;
  }

  #lookUp(name: string): FoundBinary {
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
    const found = this.#resolver.find('import', name, join(this.#directory, 'config'));
    const { path, consulted } = found;
    for (const one of found.absent) this.#absent.add(one);
    if (path !== undefined) return { moduleUrl: pathToFileURL(path).href };
    const [packageFile] = consulted;
    if (packageFile !== undefined)
      return { problem: `package "${name}" exports no such module (see ${packageFile})` };
    const hint = didYouMean(name, STOCK_NAMES);
    const own = hint === '' ? ` (a file of your own is named by its path: "./${name}.js")` : hint;
    return { problem: `there is no component "${name}"${own}` };
  }
}

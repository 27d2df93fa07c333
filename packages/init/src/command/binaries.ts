/**
 * Finds the modules that `<binary name="…"/>` means: a stock component by its short name, a file by a path relative to
 * the config file, or an npm package that is installed beside the config file.
 */
import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { didYouMean } from '@ginit/core';
import { CONDITIONS } from './component-imports.ts';
import { ImportResolver, PackageFiles } from './imports/index.ts';
import { STOCK_NAMES, stockModule } from './stock.ts';

/** A binary that was found, or why it was not. */
export type FoundBinary = { readonly moduleUrl: string } | { readonly problem: string };

/** Finds binaries for a config in one directory. */
export class Binaries {
  readonly #directory: string;
  readonly #packages = new PackageFiles();

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
    const found = new ImportResolver(this.#packages, CONDITIONS).find(
      'import',
      name,
      join(this.#directory, 'config'),
    );
    if (found.path !== undefined) return { moduleUrl: pathToFileURL(found.path).href };
    const [packageFile] = found.consulted;
    if (packageFile !== undefined)
      return { problem: `package "${name}" exports no such module (see ${packageFile})` };
    const hint = didYouMean(name, STOCK_NAMES);
    const own = hint === '' ? ` (a file of your own is named by its path: "./${name}.js")` : hint;
    return { problem: `there is no component "${name}"${own}` };
  }
}

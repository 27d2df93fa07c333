/**
 * Finds the file that an import leads to, as the Node of a component does: the conditions are those of the threads that
 * ginit starts, not those of the process that looks. The algorithms are those of Node's documentation, for `import`
 * https://nodejs.org/api/esm.html#resolution-algorithm-specification and for `require`
 * https://nodejs.org/api/modules.html#all-together. A test compares both with Node itself. Which `package.json` files were
 * read on the way is part of the answer.
 */
import { realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve as resolvePath } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { builtinName } from './builtins.ts';
import { requiresModules } from './node-features.ts';
import type { PackageFile, PackageFiles } from './package-files.ts';
import { exportedTarget, importedTarget } from './package-map.ts';

/** By which of Node's two loaders a module is asked for. */
export type ImportKind = 'import' | 'require';

/** What an import leads to. */
export interface Resolution {
  /** The real path of the file; `undefined` if there is none, which Node will tell. */
  readonly path: string | undefined;
  /** One of Node's own modules, by its name without `node:`: a package may call it something else. */
  readonly builtin: string | undefined;
  /** Whether it was asked for by a package's name, and yet lies outside of that package: `main: "../../x"`. */
  readonly escapes: boolean;
  /** Whether it was asked for by its path, and not by the name of a package. */
  readonly byPath: boolean;
  /** Whether it is a URL of some other kind than a file's or a module's of Node. */
  readonly isUrl: boolean;
  /** The `package.json` files that were looked into for it, besides that of the importing file. */
  readonly consulted: readonly string[];
  /** Why nobody can say where Node finds it: a `package.json` on the way that is ambiguous. */
  readonly ambiguous: string | undefined;
}

/** An answer within the algorithm. */
type Found = { readonly path: string } | { readonly builtin: string } | { readonly url: string } | undefined;

const EXTENSIONS = ['.js', '.json', '.node'] as const;
/** Where `require` looks last. Another such folder is in the home directory, which components have none of. */
const GLOBAL_FOLDER = resolvePath(process.execPath, '..', '..', 'lib', 'node');

/** Resolves what modules import. */
export class ImportResolver {
  readonly #packages: PackageFiles;
  readonly #conditions: Readonly<Record<ImportKind, ReadonlySet<string>>>;
  #consulted: string[] = [];
  #byPath = false;
  /** The package that a name leads to. */
  #home: string | undefined;
  #ambiguous: string | undefined;

  /** `conditions`: those that components have besides Node's own. */
  constructor(packages: PackageFiles, conditions: readonly string[]) {
    this.#packages = packages;
    // Node has native modules by default (`--no-addons`), and no thread that ginit starts says otherwise.
    const shared = ['node', 'node-addons', ...(requiresModules() ? ['module-sync'] : []), ...conditions];
    this.#conditions = {
      import: new Set(['import', ...shared]),
      require: new Set(['require', ...shared]),
    };
  }

  /** What `specifier` means in `file`, which must be a real path. */
  find(kind: ImportKind, specifier: string, file: string): Resolution {
    this.#consulted = [];
    this.#byPath = false;
    this.#home = undefined;
    this.#ambiguous = undefined;
    const found = this.#search(kind, specifier, file);
    const path = found && 'path' in found ? realPath(found.path) : undefined;
    return {
      path,
      builtin: found && 'builtin' in found ? found.builtin : undefined,
      escapes: path !== undefined && this.#home !== undefined && !isOfPackage(path, this.#home),
      byPath: this.#byPath,
      isUrl: found !== undefined && 'url' in found,
      consulted: this.#consulted,
      ambiguous: this.#ambiguous,
    };
  }

  #search(kind: ImportKind, specifier: string, file: string): Found {
    const builtin = builtinName(specifier);
    if (builtin !== undefined) return { builtin };
    if (specifier.startsWith('#')) return this.#ofOwnImports(kind, specifier, file);
    const isPath = isAbsolute(specifier) || /^\.\.?(?:\/|$)/.test(specifier);
    if (kind === 'import') {
      this.#byPath = isPath;
      if (isPath) return exact(pathOfUrl(specifier, file));
      return this.#ofUrl(specifier) ?? this.#ofPackage(specifier, file, packageName(specifier));
    }
    // To `require` also "..x" is a path.
    this.#byPath = isPath || specifier.startsWith('..');
    if (!this.#byPath) return this.#required(specifier, file);
    const path = resolvePath(dirname(file), specifier);
    // "./x/", "." and ".." mean the directory.
    return /(?:^|\/)\.{0,2}$/.test(specifier) ? this.#directory(path) : this.#fileOrDirectory(path);
  }

  /** A URL is what a URL parser takes for one: that drops blanks around it, and tabs and ends of lines in it. */
  #ofUrl(specifier: string): Found {
    if (!specifier.includes(':') || !URL.canParse(specifier)) return undefined;
    const { protocol, pathname } = new URL(specifier);
    if (protocol === 'node:') return { builtin: pathname };
    if (protocol !== 'file:') return { url: specifier };
    this.#byPath = true;
    return exact(pathOfUrl(specifier, specifier)) ?? { url: specifier };
  }

  /** `#x`: the package that imports says what it means. */
  #ofOwnImports(kind: ImportKind, specifier: string, file: string): Found {
    const own = this.#scopeOf(file);
    const target = own && importedTarget(own.imports, specifier, this.#conditions[kind]);
    if (!own || target === undefined) return undefined;
    if (target.startsWith('./')) {
      this.#home = own.directory;
      return exact(pathOfUrl(target, own.path));
    }
    // A name of a module; it is looked up from the package itself, by the same loader.
    return target.startsWith('#') ? undefined : this.#search(kind, target, own.path);
  }

  /** By name, as `import` does it. */
  #ofPackage(specifier: string, file: string, name: string | undefined): Found {
    if (name === undefined) return undefined;
    const subpath = `.${specifier.slice(name.length)}`;
    const own = this.#scopeOf(file);
    if (own?.exports !== undefined && own.name === name) return this.#exported(own, 'import', subpath);
    for (const root of lookupDirectories(dirname(file))) {
      const directory = join(root, 'node_modules', name);
      if (!isDirectory(directory)) continue;
      this.#home = directory;
      const packageFile = this.#consult(directory);
      if (packageFile?.exports !== undefined) return this.#exported(packageFile, 'import', subpath);
      return subpath === '.'
        ? this.#legacyMain(directory, packageFile)
        : exact(pathOfUrl(subpath, join(directory, 'x')));
    }
    return undefined;
  }

  /** By name, as `require` does it: a name may be anything, but only those that packages can have lead to `exports`. */
  #required(specifier: string, file: string): Found {
    const own = this.#scopeOf(file);
    if (own?.exports !== undefined && own.name !== undefined) {
      if (specifier === own.name || specifier.startsWith(`${own.name}/`))
        return this.#exported(own, 'require', `.${specifier.slice(own.name.length)}`);
    }
    const name = REQUIRED_NAME.exec(specifier)?.[0];
    for (const root of lookupDirectories(dirname(file))) {
      const modules = join(root, 'node_modules');
      if (!isDirectory(modules)) continue;
      const home = join(modules, name ?? specifier.split('/', 1)[0] ?? '');
      if (name !== undefined) {
        const packageFile = this.#consult(home);
        if (packageFile?.exports !== undefined) {
          return this.#exported(packageFile, 'require', `.${specifier.slice(name.length)}`);
        }
      }
      const found = this.#requiredAt(join(modules, specifier));
      if (!found) continue;
      this.#home = home;
      return found;
    }
    // Nobody has installed it for the component: it counts as outside of every package.
    this.#home = join(GLOBAL_FOLDER, 'node_modules');
    return this.#requiredAt(join(GLOBAL_FOLDER, specifier));
  }

  #exported({ exports, path, directory }: PackageFile, kind: ImportKind, subpath: string): Found {
    this.#home = directory;
    const target = exportedTarget(exports, subpath, this.#conditions[kind]);
    return target === undefined ? undefined : exact(pathOfUrl(target, path));
  }

  #requiredAt(path: string): Found {
    return path.endsWith('/') ? this.#directory(path) : this.#fileOrDirectory(path);
  }

  #fileOrDirectory(path: string): Found {
    return withExtension(path) ?? this.#directory(path);
  }

  #directory(path: string): Found {
    const packageFile = this.#consult(path);
    const main = packageFile?.main;
    if (packageFile && main !== undefined && main !== '') {
      const target = this.#mainOf(path, main);
      const found = withExtension(target) ?? indexOf(target);
      if (found) return found;
    }
    return indexOf(path);
  }

  /** The entry of a package without `exports`, for `import`. */
  #legacyMain(directory: string, packageFile: PackageFile | undefined): Found {
    const main = packageFile?.main;
    const named = main === undefined ? undefined : this.#mainOf(directory, main);
    const found = named === undefined ? undefined : (withExtension(named) ?? indexOf(named));
    return found ?? indexOf(directory);
  }

  /** What a `main` names. A file that is named as a directory is one to some versions of Node, and not to others. */
  #mainOf(directory: string, main: string): string {
    const target = resolvePath(directory, main);
    if (/(?:^|\/)\.{0,2}$/.test(main) && withExtension(target)) {
      this.#ambiguous ??= `${join(directory, 'package.json')}: its "main" names a file as if it were a directory`;
    }
    return target;
  }

  #scopeOf(file: string): PackageFile | undefined {
    return this.#unambiguous(this.#packages.scopeOf(file));
  }

  #unambiguous(packageFile: PackageFile | undefined): PackageFile | undefined {
    if (packageFile?.ambiguous !== undefined)
      this.#ambiguous ??= `${packageFile.path}: ${packageFile.ambiguous}`;
    return packageFile;
  }

  #consult(directory: string): PackageFile | undefined {
    const packageFile = this.#unambiguous(this.#packages.in(directory));
    const path = packageFile && realPath(packageFile.path);
    if (path !== undefined) this.#consulted.push(path);
    return packageFile;
  }
}

/** A path that stands in a URL: "%20" is a blank there. */
function pathOfUrl(specifier: string, base: string): string | undefined {
  // Most are such: nothing in them has a meaning of its own in a URL.
  if (/^[\w./-]+$/.test(specifier)) return resolvePath(dirname(base), specifier);
  try {
    const url = new URL(specifier, pathToFileURL(base));
    return /%2f|%5c/i.test(url.pathname) ? undefined : fileURLToPath(url);
  } catch {
    return undefined;
  }
}

function exact(path: string | undefined): Found {
  return path !== undefined && isFile(path) ? { path } : undefined;
}

function withExtension(path: string): Found {
  const found = ['', ...EXTENSIONS].map((extension) => path + extension).find(isFile);
  return found === undefined ? undefined : { path: found };
}

function indexOf(directory: string): Found {
  const found = EXTENSIONS.map((extension) => join(directory, `index${extension}`)).find(isFile);
  return found === undefined ? undefined : { path: found };
}

function isFile(path: string): boolean {
  return statOf(path)?.isFile() ?? false;
}

function isDirectory(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

function statOf(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A name that no path can have, or a file where a directory should be.
    return undefined;
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

/** The name of a package at the beginning of a module's name, as `import` finds it. */
function packageName(specifier: string): string | undefined {
  const name = /^(?:@[^/]*\/)?[^/]*/.exec(specifier)?.[0] ?? '';
  const isName = name !== '' && !/^\.|[\\%]/.test(name) && !(name.startsWith('@') && !name.includes('/'));
  return isName ? name : undefined;
}

/** The same, as `require` finds it. */
const REQUIRED_NAME = /^(?:@[^/\\%]+\/)?[^./\\%][^/\\%]*(?=\/|$)/;

/** Whether a real path belongs to the package in this directory: it lies there, or it is `node_modules/name.js`. */
function isOfPackage(path: string, directory: string): boolean {
  const real = realPath(directory);
  if (real !== undefined && path.startsWith(`${real}/`)) return true;
  return EXTENSIONS.some((extension) => realPath(directory + extension) === path) || real === path;
}

/** The directories whose `node_modules` may hold what a file in `directory` imports, nearest first. */
function lookupDirectories(directory: string): readonly string[] {
  const found: string[] = [];
  for (let at = directory; ; at = dirname(at)) {
    if (!at.endsWith('/node_modules')) found.push(at);
    if (dirname(at) === at) return found;
  }
}

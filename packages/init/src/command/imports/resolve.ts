/**
 * Finds the file that an import leads to, as the Node of a component does: the conditions are those
 * of the threads that ginit starts, not those of the process that looks. The algorithms are those
 * of Node's documentation, for `import`
 * https://nodejs.org/api/esm.html#resolution-algorithm-specification and for `require`
 * https://nodejs.org/api/modules.html#all-together. A test compares both with Node itself. Which
 * `package.json` files were read on the way is part of the answer.
 */
import { realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve as resolvePath } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { builtinName } from './builtins.ts';
import { requiresModules } from './node-features.ts';
import type { PackageFile, PackageFiles } from './package-files.ts';
import { exportedTarget, importedTarget } from './package-map.ts';

/** The loader of Node that is asked for a module. */
export type ImportKind = 'import' | 'require';

/** The result of a resolution. */
export interface Resolution {
  /**
   * The real path of the file; `undefined` if there is none, for which Node fails with a message of
   * its own.
   */
  readonly path: string | undefined;
  /**
   * The name, without `node:`, if the import leads to one of Node's own modules: a package may give
   * it another name.
   */
  readonly builtin: string | undefined;
  /**
   * Whether the module was asked for by a package's name, and yet lies outside of that package:
   * `main: "../../x"`.
   */
  readonly escapes: boolean;
  /** Whether the module was asked for by its path and not by the name of a package. */
  readonly byPath: boolean;
  /** Whether it is a URL that means neither a file nor a module of Node. */
  readonly isUrl: boolean;
  /** The `package.json` files that were looked into for it, besides that of the importing file. */
  readonly consulted: readonly string[];
  /** What was looked for in vain on the way. If one of these comes, the answer may be another. */
  readonly absent: readonly string[];
  /**
   * The reason why versions of Node may find different files: an ambiguous `package.json` on the
   * way.
   */
  readonly ambiguous: string | undefined;
}

/** A result of a step of the algorithm. */
type Found = { readonly path: string } | { readonly builtin: string } | { readonly url: string } | undefined;

const EXTENSIONS = ['.js', '.json', '.node'] as const;
/**
 * The folder that `require` searches last. Node knows another such folder in the home directory,
 * but components have no home directory.
 */
const GLOBAL_FOLDER = resolvePath(process.execPath, '..', '..', 'lib', 'node');

/** Resolves the imports of modules. */
export class ImportResolver {
  readonly #packages: PackageFiles;
  readonly #conditions: Readonly<Record<ImportKind, ReadonlySet<string>>>;
  #consulted: string[] = [];
  #absent = new Set<string>();
  #byPath = false;
  /** The package that a name leads to. */
  #home: string | undefined;
  #ambiguous: string | undefined;

  /** `conditions`: those that components have besides Node's own. */
  constructor(packages: PackageFiles, conditions: readonly string[]) {
    this.#packages = packages;
    // Node loads native addons by default (`--no-addons` would forbid it), and ginit starts all
    // threads with that default.
    const shared = ['node', 'node-addons', ...(requiresModules() ? ['module-sync'] : []), ...conditions];
    this.#conditions = {
      import: new Set(['import', ...shared]),
      require: new Set(['require', ...shared]),
    };
  }

  /** Resolves `specifier` as `file` would, which must be a real path. */
  find(kind: ImportKind, specifier: string, file: string): Resolution {
    this.#consulted = [];
    this.#absent = new Set();
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
      absent: [...this.#absent],
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
      if (isPath) return this.#exact(pathOfUrl(specifier, file));
      return this.#ofUrl(specifier) ?? this.#ofPackage(specifier, file, packageName(specifier));
    }
    // To `require` also "..x" is a path.
    this.#byPath = isPath || specifier.startsWith('..');
    if (!this.#byPath) return this.#required(specifier, file);
    const path = resolvePath(dirname(file), specifier);
    // "./x/", "." and ".." mean the directory.
    return /(?:^|\/)\.{0,2}$/.test(specifier) ? this.#directory(path) : this.#fileOrDirectory(path);
  }

  /**
   * A URL is whatever a URL parser accepts: the parser drops blanks around it, and tabs and ends of
   * lines in it.
   */
  #ofUrl(specifier: string): Found {
    if (!specifier.includes(':') || !URL.canParse(specifier)) return undefined;
    const { protocol, pathname } = new URL(specifier);
    if (protocol === 'node:') return { builtin: pathname };
    if (protocol !== 'file:') return { url: specifier };
    this.#byPath = true;
    return this.#exact(pathOfUrl(specifier, specifier)) ?? { url: specifier };
  }

  /** Resolves `#x`: the `imports` map of the importing package says what it means. */
  #ofOwnImports(kind: ImportKind, specifier: string, file: string): Found {
    const own = this.#scopeOf(file);
    const target = own && importedTarget(own.imports, specifier, this.#conditions[kind]);
    if (!own || target === undefined) return undefined;
    if (target.startsWith('./')) {
      this.#home = own.directory;
      return this.#exact(pathOfUrl(target, own.path));
    }
    // The target is the name of a module. It is looked up from the package itself, by the same
    // loader.
    return target.startsWith('#') ? undefined : this.#search(kind, target, own.path);
  }

  /** Finds a package by name, as `import` does. */
  #ofPackage(specifier: string, file: string, name: string | undefined): Found {
    if (name === undefined) return undefined;
    const subpath = `.${specifier.slice(name.length)}`;
    const own = this.#scopeOf(file);
    if (own?.exports !== undefined && own.name === name) return this.#exported(own, 'import', subpath);
    for (const root of lookupDirectories(dirname(file))) {
      const directory = join(root, 'node_modules', name);
      if (!this.#isDirectory(directory)) continue;
      this.#home = directory;
      const packageFile = this.#consult(directory);
      if (packageFile?.exports !== undefined) return this.#exported(packageFile, 'import', subpath);
      return subpath === '.'
        ? this.#legacyMain(directory, packageFile)
        : this.#exact(pathOfUrl(subpath, join(directory, 'x')));
    }
    return undefined;
  }

  /**
   * Finds a package by name, as `require` does: the name may be anything, but only valid package
   * names lead to `exports`.
   */
  #required(specifier: string, file: string): Found {
    const own = this.#scopeOf(file);
    if (own?.exports !== undefined && own.name !== undefined) {
      if (specifier === own.name || specifier.startsWith(`${own.name}/`))
        return this.#exported(own, 'require', `.${specifier.slice(own.name.length)}`);
    }
    const name = REQUIRED_NAME.exec(specifier)?.[0];
    for (const root of lookupDirectories(dirname(file))) {
      const modules = join(root, 'node_modules');
      if (!this.#isDirectory(modules)) continue;
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
    // This folder was not installed for the component, so its files count as outside of every
    // package.
    this.#home = join(GLOBAL_FOLDER, 'node_modules');
    return this.#requiredAt(join(GLOBAL_FOLDER, specifier));
  }

  #exported({ exports, path, directory }: PackageFile, kind: ImportKind, subpath: string): Found {
    this.#home = directory;
    const target = exportedTarget(exports, subpath, this.#conditions[kind]);
    return target === undefined ? undefined : this.#exact(pathOfUrl(target, path));
  }

  #requiredAt(path: string): Found {
    return path.endsWith('/') ? this.#directory(path) : this.#fileOrDirectory(path);
  }

  #fileOrDirectory(path: string): Found {
    return this.#withExtension(path) ?? this.#directory(path);
  }

  #directory(path: string): Found {
    const packageFile = this.#consult(path);
    const main = packageFile?.main;
    if (packageFile && main !== undefined && main !== '') {
      const target = this.#mainOf(path, main);
      const found = this.#withExtension(target) ?? this.#indexOf(target);
      if (found) return found;
    }
    return this.#indexOf(path);
  }

  /** The entry of a package without `exports`, for `import`. */
  #legacyMain(directory: string, packageFile: PackageFile | undefined): Found {
    const main = packageFile?.main;
    const named = main === undefined ? undefined : this.#mainOf(directory, main);
    const found = named === undefined ? undefined : (this.#withExtension(named) ?? this.#indexOf(named));
    return found ?? this.#indexOf(directory);
  }

  /**
   * The file that a `main` names. If it names a directory in the manner of a file, some versions of
   * Node take it and others do not.
   */
  #mainOf(directory: string, main: string): string {
    const target = resolvePath(directory, main);
    if (/(?:^|\/)\.{0,2}$/.test(main) && this.#withExtension(target)) {
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
    if (!packageFile) this.#absent.add(firstMissing(join(directory, 'package.json')));
    const path = packageFile && realPath(packageFile.path);
    if (path !== undefined) this.#consulted.push(path);
    return packageFile;
  }

  #exact(path: string | undefined): Found {
    return path !== undefined && this.#isFile(path) ? { path } : undefined;
  }

  #withExtension(path: string): Found {
    for (const extension of ['', ...EXTENSIONS])
      if (this.#isFile(path + extension)) return { path: path + extension };
    return undefined;
  }

  #indexOf(directory: string): Found {
    for (const extension of EXTENSIONS) {
      const path = join(directory, `index${extension}`);
      if (this.#isFile(path)) return { path };
    }
    return undefined;
  }

  #isFile(path: string): boolean {
    return this.#statOf(path)?.isFile() ?? false;
  }

  #isDirectory(path: string): boolean {
    return this.#statOf(path)?.isDirectory() ?? false;
  }

  #statOf(path: string): ReturnType<typeof statSync> {
    const found = statOf(path);
    if (!found) this.#absent.add(firstMissing(path));
    return found;
  }
}

/** The first part of a path that is missing: nothing is below it until it is there. */
function firstMissing(path: string): string {
  for (let at = path; ; at = dirname(at)) if (dirname(at) === at || statOf(dirname(at))) return at;
}

/** The path that a specifier means as a URL: "%20" is a blank there. */
function pathOfUrl(specifier: string, base: string): string | undefined {
  // Most specifiers are like this: none of their characters has a meaning of its own in a URL.
  if (/^[\w./-]+$/.test(specifier)) return resolvePath(dirname(base), specifier);
  try {
    const url = new URL(specifier, pathToFileURL(base));
    return /%2f|%5c/i.test(url.pathname) ? undefined : fileURLToPath(url);
  } catch {
    return undefined;
  }
}

function statOf(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // No path can have this name, or a file stands where a directory should be.
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

/** The name of a package at the beginning of a module's name, as `require` finds it. */
const REQUIRED_NAME = /^(?:@[^/\\%]+\/)?[^./\\%][^/\\%]*(?=\/|$)/;

/**
 * Whether a real path belongs to the package in this directory: it lies there, or it is
 * `node_modules/name.js`.
 */
function isOfPackage(path: string, directory: string): boolean {
  const real = realPath(directory);
  if (real !== undefined && path.startsWith(`${real}/`)) return true;
  return EXTENSIONS.some((extension) => realPath(directory + extension) === path) || real === path;
}

/**
 * The directories whose `node_modules` are searched for the imports of a file in `directory`,
 * nearest first.
 */
function lookupDirectories(directory: string): readonly string[] {
  const found: string[] = [];
  for (let at = directory; ; at = dirname(at)) {
    if (!at.endsWith('/node_modules')) found.push(at);
    if (dirname(at) === at) return found;
  }
}

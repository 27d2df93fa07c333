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
  /** The `package.json` files that were looked into for it, besides that of the importing file. */
  readonly consulted: readonly string[];
}

/** An answer within the algorithm. */
type Found = { readonly path: string } | { readonly builtin: string } | undefined;

const EXTENSIONS = ['.js', '.json', '.node'] as const;

/** Resolves what modules import. */
export class ImportResolver {
  readonly #packages: PackageFiles;
  readonly #conditions: Readonly<Record<ImportKind, ReadonlySet<string>>>;
  #consulted: string[] = [];
  #escapes = false;

  /** `conditions`: those that components have besides Node's own. */
  constructor(packages: PackageFiles, conditions: readonly string[]) {
    this.#packages = packages;
    // Node has native modules by default (`--no-addons`), and no thread that ginit starts says otherwise.
    const shared = ['node', 'node-addons', ...moduleSync(), ...conditions];
    this.#conditions = {
      import: new Set(['import', ...shared]),
      require: new Set(['require', ...shared]),
    };
  }

  /** What `specifier` means in `file`, which must be a real path. */
  find(kind: ImportKind, specifier: string, file: string): Resolution {
    this.#consulted = [];
    this.#escapes = false;
    const found = this.#search(kind, specifier, file);
    const path = found && 'path' in found ? realPath(found.path) : undefined;
    const builtin = found && 'builtin' in found ? found.builtin : undefined;
    return { path, builtin, escapes: this.#escapes, consulted: this.#consulted };
  }

  #search(kind: ImportKind, specifier: string, file: string): Found {
    const builtin = builtinName(specifier);
    if (builtin !== undefined) return { builtin };
    if (specifier.startsWith('#')) return this.#ofOwnImports(kind, specifier, file);
    const isPath = isAbsolute(specifier) || /^\.\.?(?:\/|$)/.test(specifier);
    if (kind === 'import') {
      if (isPath || /^file:/i.test(specifier)) return exact(pathOfUrl(specifier, file));
    } else if (isPath) {
      const path = resolvePath(dirname(file), specifier);
      // "./x/", "." and ".." mean the directory.
      return /(?:^|\/)\.{0,2}$/.test(specifier) ? this.#directory(path) : this.#fileOrDirectory(path);
    }
    return this.#ofPackage(kind, specifier, file);
  }

  /** `#x`: the package that imports says what it means. */
  #ofOwnImports(kind: ImportKind, specifier: string, file: string): Found {
    const own = this.#packages.scopeOf(file);
    const target = own && importedTarget(own.imports, specifier, this.#conditions[kind]);
    if (!own || target === undefined) return undefined;
    if (target.startsWith('./')) return exact(pathOfUrl(target, own.path));
    // A name of a module; it is looked up from the package itself, by the same loader.
    return target.startsWith('#') ? undefined : this.#search(kind, target, own.path);
  }

  #ofPackage(kind: ImportKind, specifier: string, file: string): Found {
    const name = packageName(specifier);
    if (name === undefined) return undefined;
    const subpath = `.${specifier.slice(name.length)}`;
    const own = this.#packages.scopeOf(file);
    if (own?.exports !== undefined && own.name === name) return this.#exported(own, kind, subpath);
    for (const root of lookupDirectories(dirname(file))) {
      const directory = join(root, 'node_modules', name);
      const packageFile = this.#consult(directory);
      if (packageFile?.exports !== undefined) return this.#exported(packageFile, kind, subpath);
      if (kind === 'require') {
        const found = this.#required(join(root, 'node_modules', specifier));
        if (found) return this.#within(directory, found);
      } else if (isDirectory(directory)) {
        const found =
          subpath === '.'
            ? legacyMain(directory, packageFile?.main)
            : exact(pathOfUrl(subpath, join(directory, 'x')));
        return this.#within(directory, found);
      }
    }
    return undefined;
  }

  /** A package without `exports` may be asked for `name/../x`, and its `main` may name anything. */
  #within(directory: string, found: Found): Found {
    if (!found || !('path' in found)) return found;
    // A file `node_modules/name.js` is what `name` means, too.
    const rest = found.path.startsWith(directory) ? found.path.slice(directory.length) : undefined;
    this.#escapes = rest === undefined || !/^(?:\/|\.\w+$|$)/.test(rest);
    return found;
  }

  #exported({ exports, path }: PackageFile, kind: ImportKind, subpath: string): Found {
    const target = exportedTarget(exports, subpath, this.#conditions[kind]);
    return target === undefined ? undefined : exact(pathOfUrl(target, path));
  }

  #required(path: string): Found {
    return path.endsWith('/') ? this.#directory(path) : this.#fileOrDirectory(path);
  }

  #fileOrDirectory(path: string): Found {
    return withExtension(path) ?? this.#directory(path);
  }

  #directory(path: string): Found {
    const main = this.#consult(path)?.main;
    if (main !== undefined && main !== '') {
      const target = resolvePath(path, main);
      const found = withExtension(target) ?? indexOf(target);
      if (found) return found;
    }
    return indexOf(path);
  }

  #consult(directory: string): PackageFile | undefined {
    const packageFile = this.#packages.in(directory);
    const path = packageFile && realPath(packageFile.path);
    if (path !== undefined) this.#consulted.push(path);
    return packageFile;
  }
}

/** Node that can `require` modules has a condition for what it finds either way. */
function moduleSync(): readonly string[] {
  return Reflect.get(process.features, 'require_module') === true ? ['module-sync'] : [];
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

/** The entry of a package without `exports`, for `import`. */
function legacyMain(directory: string, main: string | undefined): Found {
  const named = main === undefined ? undefined : join(directory, main);
  const found = named === undefined ? undefined : (withExtension(named) ?? indexOf(named));
  return found ?? indexOf(directory);
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

/** `x` or `@scope/x` at the beginning of a module's name. */
function packageName(specifier: string): string | undefined {
  return /^(?:@[^/\\%]+\/)?[^./\\%@][^/\\%]*(?=\/|$)/.exec(specifier)?.[0];
}

/** The directories whose `node_modules` may hold what a file in `directory` imports, nearest first. */
function lookupDirectories(directory: string): readonly string[] {
  const found: string[] = [];
  for (let at = directory; ; at = dirname(at)) {
    if (!at.endsWith('/node_modules')) found.push(at);
    if (dirname(at) === at) return found;
  }
}

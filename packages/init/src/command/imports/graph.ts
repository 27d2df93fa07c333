/**
 * The import graph of a component: every file that Node reads to load it, and every import in them, with its place. The
 * files are read, not run. What is imported by a literal counts, wherever it stands, also late or behind a condition.
 */
import { existsSync, realpathSync } from 'node:fs';
import { resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { initSync } from 'es-module-lexer';
import { builtinName } from './builtins.ts';
import { PackageFiles } from './package-files.ts';
import { importsOf, ownImportsOf } from './parse.ts';
import { ImportResolver } from './resolve.ts';
import { installedIn, installedPackage, type OpenedFile, openSource } from './source-file.ts';
import { type ImportForm, SourceError, type SourceImport } from './source-import.ts';

/** A component that leads to more is refused. */
const FILES_MAX = 10_000;

/** A place in a file. */
export interface ImportPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What an import leads to. */
export type ImportTarget =
  | { readonly kind: 'file'; readonly path: string }
  /** One of Node's own modules, by its name without `node:`. */
  | { readonly kind: 'builtin'; readonly name: string }
  /** Nothing that can be looked into: native code, WebAssembly, a `data:` URL. */
  | { readonly kind: 'opaque'; readonly path: string | undefined }
  /** A file that its importer has no business with. */
  | { readonly kind: 'outside'; readonly path: string; readonly by: 'path' | 'name' }
  /** A file of our own runtime that is not for components. */
  | { readonly kind: 'inner'; readonly path: string }
  /** A file of the user's that is no code by its name. */
  | { readonly kind: 'no-code'; readonly path: string }
  /** Versions of Node differ in where they find it, for this reason. */
  | { readonly kind: 'ambiguous'; readonly reason: string }
  /** Its name is computed, or it is a back door to Node. */
  | { readonly kind: 'unknown' }
  /** There is no such module: an optional one, or whoever imports it will tell. */
  | { readonly kind: 'missing' };

/** An import somewhere in the graph. */
export interface GraphImport {
  readonly form: ImportForm;
  /** The name that was imported, or what it is instead. */
  readonly what: string;
  readonly place: ImportPlace;
  /** The package of the file that imports: that of its `node_modules` directory, else that of its `package.json`. */
  readonly importer: { readonly name: string | undefined; readonly installed: boolean };
  readonly target: ImportTarget;
}

/** A file that cannot be looked into. */
export interface GraphProblem {
  readonly reason: string;
  readonly place: ImportPlace;
}

/** All that a component is made of. */
export interface ImportGraph {
  /**
   * Real, absolute paths of every file that Node reads to load the component: modules, what they need of our runtime
   * included, and the `package.json` files that it consults.
   */
  readonly files: readonly string[];
  /** Every import, except those of our own runtime. */
  readonly imports: readonly GraphImport[];
  readonly problems: readonly GraphProblem[];
}

/** How graphs are read. */
export interface GraphOptions {
  /** The directory of the config: what lies below it may be imported by a path. */
  readonly directory: string;
  /** Conditions that components have besides Node's own. */
  readonly conditions?: readonly string[];
  /** Whether a file is of our own runtime: what that imports is what confines the component, and nobody's fault. */
  readonly isTrusted?: (file: string) => boolean;
  /** Whether a file is of our own runtime, but none that others may import. */
  readonly isInner?: (file: string) => boolean;
}

/** Extensions of what Node loads as code, or as data of code. */
const CODE = /\.(?:[cm]?[jt]s|json|node|wasm)$/;

/** What one file holds of a graph. */
interface LookedAt {
  readonly imports: readonly GraphImport[];
  readonly problem?: GraphProblem;
  /** The `package.json` files that its imports made Node read. */
  readonly consulted: readonly string[];
}

/** Reads import graphs. It remembers each file: components share many, our own runtime first of all. */
export class ImportGraphs {
  readonly #packages = new PackageFiles();
  readonly #resolver: ImportResolver;
  readonly #isTrusted: (file: string) => boolean;
  readonly #isInner: (file: string) => boolean;
  readonly #looked = new Map<string, LookedAt>();
  /** The files of our own runtime that one of them leads to. */
  readonly #ours = new Map<string, readonly string[]>();
  readonly #directory: string;

  constructor({ directory, conditions = [], isTrusted = () => false, isInner = () => false }: GraphOptions) {
    this.#directory = existsSync(directory) ? realpathSync.native(directory) : resolvePath(directory);
    this.#resolver = new ImportResolver(this.#packages, conditions);
    this.#isTrusted = isTrusted;
    this.#isInner = isInner;
  }

  /** Reads the graph of the module at a `file:` URL. */
  read(moduleUrl: string): ImportGraph {
    initSync();
    const imports: GraphImport[] = [];
    const problems: GraphProblem[] = [];
    const entry = realpathSync.native(fileURLToPath(moduleUrl));
    const own = new Set([entry]);
    const ours = new Set<string>();
    for (const file of own) {
      const looked = this.#lookAt(file, entry);
      imports.push(...looked.imports);
      if (looked.problem) problems.push(looked.problem);
      for (const path of filesOf(looked)) (this.#isTrusted(path) ? ours : own).add(path);
      if (own.size <= FILES_MAX) continue;
      problems.push({ reason: `it leads to more than ${FILES_MAX} files`, place: placeIn(file, '', 0) });
      break;
    }
    // What our own runtime imports is not told.
    for (const file of ours) for (const path of this.#oursFrom(file)) ours.add(path);
    // The compiled part of a bundle lies beside the module that loads it.
    const scripts = [...ours]
      .map((file) => file.replace(/\.js$/, '.script.js'))
      .filter((file) => existsSync(file));
    const files = new Set([...own, ...ours, ...scripts]);
    for (const file of files) this.#addConsulted(file, files, entry);
    return { files: [...files], imports, problems };
  }

  /** What Node reads besides a module to load it. */
  #addConsulted(file: string, files: Set<string>, entry: string): void {
    const scope = this.#packages.scopeOf(file);
    if (scope) files.add(scope.path);
    const looked = this.#looked.get(this.#keyOf(file, entry));
    for (const path of looked?.consulted ?? []) files.add(path);
    for (const { target } of looked?.imports ?? [])
      if (target.kind === 'opaque' && target.path !== undefined) files.add(target.path);
  }

  #lookAt(file: string, entry: string): LookedAt {
    const key = this.#keyOf(file, entry);
    let looked = this.#looked.get(key);
    if (!looked) {
      looked = this.#lookInto(file, entry);
      this.#looked.set(key, looked);
    }
    return looked;
  }

  /** What a file that is not installed may import depends on the binary that leads to it. */
  #keyOf(file: string, entry: string): string {
    return installedIn(file) === undefined
      ? `${this.#packages.scopeOf(entry)?.directory ?? ''}\n${file}`
      : file;
  }

  #oursFrom(file: string): readonly string[] {
    let found = this.#ours.get(file);
    if (!found) {
      const opened = openSource(file, this.#packages);
      const imports = 'source' in opened ? ownImportsOf(opened.source) : [];
      const targets = imports.map((one) => this.#target(one, { file, entry: file }, new Set()));
      found = targets.flatMap((target) => (target.kind === 'file' ? [target.path] : []));
      this.#ours.set(file, found);
    }
    return found;
  }

  #lookInto(file: string, entry: string): LookedAt {
    const scope = this.#packages.scopeOf(file);
    const opened: OpenedFile =
      scope?.ambiguous === undefined || /\.[cm]js$/.test(file)
        ? openSource(file, this.#packages)
        : {
            problem: `${scope.path}, to which it belongs, is not the same to every Node: ${scope.ambiguous}`,
          };
    const failed = (reason: string, place = placeIn(file, '', 0)): LookedAt => ({
      imports: [],
      problem: { reason, place },
      consulted: [],
    });
    if ('problem' in opened) return failed(opened.problem);
    if ('data' in opened) return { imports: [], consulted: [] };
    const { source, format } = opened;
    const installed = installedPackage(file);
    const name = installed ?? scope?.name;
    const consulted = new Set<string>();
    try {
      const imports = importsOf(source, format).map((found) => ({
        form: found.form,
        what: found.specifier ?? found.what ?? 'a module whose name is computed',
        place: placeIn(file, source, found.offset),
        importer: { name, installed: installed !== undefined },
        target: this.#target(found, { file, entry }, consulted),
      }));
      return { imports, consulted: [...consulted] };
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      return failed(error.message, placeIn(file, source, error.offset));
    }
  }

  #target({ form, specifier }: SourceImport, from: Importer, consulted: Set<string>): ImportTarget {
    if (specifier === undefined) return { kind: 'unknown' };
    if (form === 'builtin') {
      const name = builtinName(specifier);
      return name === undefined ? { kind: 'missing' } : { kind: 'builtin', name };
    }
    const found = this.#resolver.find(form === 'require' ? 'require' : 'import', specifier, from.file);
    if (found.ambiguous !== undefined) return { kind: 'ambiguous', reason: found.ambiguous };
    if (found.builtin !== undefined) return { kind: 'builtin', name: found.builtin };
    if (found.isUrl) return { kind: 'opaque', path: undefined };
    const { path } = found;
    // What Node would look into on the way is made readable no more than the file.
    if (path !== undefined && found.escapes) return { kind: 'outside', path, by: 'name' };
    if (path !== undefined && found.byPath && !this.#mayName(path, from))
      return { kind: 'outside', path, by: 'path' };
    for (const one of found.consulted) consulted.add(one);
    if (path === undefined) return { kind: 'missing' };
    const isOurs = this.#isTrusted(from.file) || this.#isInner(from.file);
    if (!isOurs && this.#isInner(path)) return { kind: 'inner', path };
    if (installedIn(path) === undefined && !CODE.test(path)) return { kind: 'no-code', path };
    return { kind: /\.(?:node|wasm)$/.test(path) ? 'opaque' : 'file', path };
  }

  /**
   * Whether a file may name another one by its path: one of its own installed package; or, if it is not installed, one below
   * the config's directory or in the binary's package. The same goes for a package that is linked: it has its own files.
   * Whatever is named otherwise would be made readable for the component.
   */
  #mayName(path: string, { file, entry }: Importer): boolean {
    const installed = installedIn(file);
    if (installed !== undefined) return path.startsWith(installed);
    const roots = [this.#directory, this.#packages.scopeOf(entry)?.directory];
    const isBelowRoots = (one: string): boolean =>
      roots.some((root) => root !== undefined && isBelow(one, root));
    if (isBelowRoots(path)) return true;
    const home = isBelowRoots(file) ? undefined : this.#packages.scopeOf(file)?.directory;
    return home !== undefined && isBelow(path, home);
  }
}

/** A file, and the binary that leads to it. */
interface Importer {
  readonly file: string;
  readonly entry: string;
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

function filesOf({ imports }: LookedAt): readonly string[] {
  return imports.flatMap(({ target }) => (target.kind === 'file' ? [target.path] : []));
}

/** Lines and columns count from 1. */
function placeIn(file: string, source: string, offset: number): ImportPlace {
  const before = source.slice(0, offset);
  return { file, line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

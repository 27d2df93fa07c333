/**
 * The import graph of a component: every file that Node reads to load it, and every import in them,
 * with its place. The files are read, not run. What is imported by a literal counts, wherever it
 * stands, also late or behind a condition.
 */
import { existsSync, realpathSync } from 'node:fs';
import { resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { initSync } from 'es-module-lexer';
import { builtinName } from './builtins.ts';
import { PackageFiles } from './package-files.ts';
import { importsOf, ownImportsOf, type SourceFormat } from './parse.ts';
import { ImportResolver } from './resolve.ts';
import { installedIn, installedPackage, type OpenedFile, openSource } from './source-file.ts';
import { type ImportForm, SourceError, type SourceImport } from './source-import.ts';

/** The largest number of files in a graph. A component that leads to more is refused. */
const FILES_MAX = 10_000;

/** A place in a file. */
export interface ImportPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The kinds of target that an import can lead to. */
export type ImportTarget =
  | { readonly kind: 'file'; readonly path: string }
  /** One of Node's own modules, by its name without `node:`. */
  | { readonly kind: 'builtin'; readonly name: string }
  /** Something that cannot be inspected: native code, WebAssembly, a `data:` URL. */
  | { readonly kind: 'opaque'; readonly path: string | undefined }
  /**
   * A file that the importing file must not name, because it lies outside of its own package or
   * directory.
   */
  | { readonly kind: 'outside'; readonly path: string; readonly by: 'path' | 'name' }
  /** A file of our own runtime that is not for components. */
  | { readonly kind: 'inner'; readonly path: string }
  /** A file of the user's whose extension is not one of code. */
  | { readonly kind: 'no-code'; readonly path: string }
  /** Versions of Node differ in where they find the module; `reason` says why. */
  | { readonly kind: 'ambiguous'; readonly reason: string }
  /** The name of the module is computed, or the import is a way around imports. */
  | { readonly kind: 'unknown' }
  /** There is no such module. It may be optional; if not, the importing code fails when it runs. */
  | { readonly kind: 'missing' };

/** An import somewhere in the graph. */
export interface GraphImport {
  readonly form: ImportForm;
  /** The name that was imported, or a description if there is no name. */
  readonly what: string;
  readonly place: ImportPlace;
  /**
   * The package of the file that imports: that of its `node_modules` directory, else that of its
   * `package.json`.
   */
  readonly importer: { readonly name: string | undefined; readonly installed: boolean };
  readonly target: ImportTarget;
}

/** A file that could not be read or parsed. */
export interface GraphProblem {
  readonly reason: string;
  readonly place: ImportPlace;
}

/** All files and imports that a component is made of. */
export interface ImportGraph {
  /**
   * Real, absolute paths of every file that Node reads to load the component: modules, what they
   * need of our runtime included, and the `package.json` files that it consults.
   */
  readonly files: readonly string[];
  /**
   * What was looked for in vain on the way to them: a file that comes to one of these paths may be
   * loaded instead of one of the graph. What our own runtime looks for is left out.
   */
  readonly absent: readonly string[];
  /** Every import, except those of our own runtime. */
  readonly imports: readonly GraphImport[];
  readonly problems: readonly GraphProblem[];
}

/** The options for reading graphs. */
export interface GraphOptions {
  /** The directory of the config. Files below it may be imported by a path. */
  readonly directory: string;
  /** Conditions of package maps that hold for components besides Node's own. */
  readonly conditions?: readonly string[];
  /**
   * Whether a file is of our own runtime. The imports of such a file are what confines the
   * component, so they break no rule.
   */
  readonly isTrusted?: (file: string) => boolean;
  /** Whether a file is of our own runtime, but none that others may import. */
  readonly isInner?: (file: string) => boolean;
}

/** Extensions of the files that Node loads as code or as data. */
const CODE = /\.(?:[cm]?[jt]s|json|node|wasm)$/;

/** The part of a graph that one file contributes. */
interface LookedAt {
  readonly imports: readonly GraphImport[];
  readonly problem?: GraphProblem;
  /** The `package.json` files that its imports made Node read. */
  readonly consulted: readonly string[];
  /** What was looked for in vain for them. */
  readonly absent: readonly string[];
}

/** What is found out on the way to the files that a file imports. */
interface Trail {
  readonly consulted: Set<string>;
  readonly absent: Set<string>;
}

/**
 * Reads import graphs. It remembers each file: components share many, our own runtime first of all.
 */
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
    // The imports of our own runtime are left out of the result; only its files count.
    for (const file of ours) for (const path of this.#oursFrom(file)) ours.add(path);
    // The compiled part of a bundle lies beside the module that loads it.
    const scripts = [...ours]
      .map((file) => file.replace(/\.js$/, '.script.js'))
      .filter((file) => existsSync(file));
    const files = new Set([...own, ...ours, ...scripts]);
    for (const file of files) this.#addConsulted(file, files, entry);
    const absent = new Set<string>();
    for (const file of own) {
      for (const path of this.#packages.absentTo(file)) absent.add(path);
      for (const path of this.#looked.get(this.#keyOf(file, entry))?.absent ?? []) absent.add(path);
    }
    return { files: [...files], absent: [...absent], imports, problems };
  }

  /** Adds the `package.json` files that Node reads beside a module to load it. */
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

  /**
   * The key under which a file is remembered. Which files a file may import depends on the binary
   * that leads to it, unless the file is installed; so the binary is part of the key.
   */
  #keyOf(file: string, entry: string): string {
    return installedIn(file) === undefined
      ? `${this.#packages.scopeOf(entry)?.directory ?? ''}\n${file}`
      : file;
  }

  #oursFrom(file: string): readonly string[] {
    let found = this.#ours.get(file);
    if (!found) {
      const opened = openSource(file, this.#packages);
      const imports = 'source' in opened ? this.#importsOfOurs(file, opened.source, opened.format) : [];
      const targets = imports.map((one) =>
        this.#target(one, { file, entry: file }, { consulted: new Set(), absent: new Set() }),
      );
      found = targets.flatMap((target) => (target.kind === 'file' ? [target.path] : []));
      this.#ours.set(file, found);
    }
    return found;
  }

  /** The imports of a file of our runtime, or of a package that it uses: that may be CommonJS. */
  #importsOfOurs(file: string, source: string, format: SourceFormat): readonly SourceImport[] {
    return this.#isTrusted(file) || this.#isInner(file) ? ownImportsOf(source) : importsOf(source, format);
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
      absent: [],
    });
    if ('problem' in opened) return failed(opened.problem);
    if ('data' in opened) return { imports: [], consulted: [], absent: [] };
    const { source, format } = opened;
    const installed = installedPackage(file);
    const name = installed ?? scope?.name;
    const trail: Trail = { consulted: new Set(), absent: new Set() };
    try {
      const imports = importsOf(source, format).map((found) => ({
        form: found.form,
        what: found.specifier ?? found.what ?? 'a module whose name is computed',
        place: placeIn(file, source, found.offset),
        importer: { name, installed: installed !== undefined },
        target: this.#target(found, { file, entry }, trail),
      }));
      return { imports, consulted: [...trail.consulted], absent: [...trail.absent] };
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      return failed(error.message, placeIn(file, source, error.offset));
    }
  }

  #target({ form, specifier }: SourceImport, from: Importer, trail: Trail): ImportTarget {
    if (specifier === undefined) return { kind: 'unknown' };
    if (form === 'builtin') {
      const name = builtinName(specifier);
      return name === undefined ? { kind: 'missing' } : { kind: 'builtin', name };
    }
    const found = this.#resolver.find(form === 'require' ? 'require' : 'import', specifier, from.file);
    for (const one of found.absent) trail.absent.add(one);
    if (found.ambiguous !== undefined) return { kind: 'ambiguous', reason: found.ambiguous };
    if (found.builtin !== undefined) return { kind: 'builtin', name: found.builtin };
    if (found.isUrl) return { kind: 'opaque', path: undefined };
    const { path } = found;
    // A file outside of its package is not read, and neither are the `package.json` files on the
    // way to it.
    if (path !== undefined && found.escapes) return { kind: 'outside', path, by: 'name' };
    if (path !== undefined && found.byPath && !this.#mayName(path, from))
      return { kind: 'outside', path, by: 'path' };
    for (const one of found.consulted) trail.consulted.add(one);
    if (path === undefined) return { kind: 'missing' };
    const isOurs = this.#isTrusted(from.file) || this.#isInner(from.file);
    if (!isOurs && this.#isInner(path)) return { kind: 'inner', path };
    if (installedIn(path) === undefined && !CODE.test(path)) return { kind: 'no-code', path };
    return { kind: /\.(?:node|wasm)$/.test(path) ? 'opaque' : 'file', path };
  }

  /**
   * Whether a file may name another one by its path. An installed file may name files of its own
   * package. A file that is not installed may name files below the config's directory or in the
   * binary's package. The same goes for a package that is linked: it has its own files. Any other
   * file that is named would become readable for the component.
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

/** A file that imports, and the binary that leads to it. */
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

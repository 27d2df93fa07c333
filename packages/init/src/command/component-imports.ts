/** The import graphs of the components of a config; each is read once. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  BUNDLED,
  type ManifestAnswer,
  type ResolvedBinary,
  type TravellingCode,
} from '@ginit/core/supervisor';
import { type FileLook, lookAtFile, MISSING } from './watch/file-state.ts';
import { isHolderModule, stockTrust } from './stock.ts';
import {
  findForbidden,
  type ForbiddenImport,
  type ImportGraph,
  ImportGraphs,
  type ImportRule,
  travellingCode,
} from './imports/index.ts';

/** The conditions (`--conditions` of Node) that the threads of components are started with. */
export const CONDITIONS: readonly string[] = BUNDLED ? ['ginit-bundle'] : [];

/** The package of our runtime, with its modules and its bundle. */
export const CORE = realpathSync(fileURLToPath(new URL('../', import.meta.resolve('@ginit/core'))));
/** The entry file of our runtime: in the bundle if that runs, else among the modules. */
const RUNTIME = pathToFileURL(join(CORE, BUNDLED ? 'bundle' : 'dist', 'index.js')).href;
/**
 * The rooms of our runtime that components may enter. The modules of Node that these rooms import
 * are ours to answer for, because they are what confines the component. A component that enters any
 * other room is checked like any other code.
 */
export const COMPONENT_DOORS: ReadonlySet<string> = new Set([
  'async',
  'block',
  'config',
  'file_system',
  'framebuffer',
  'host',
  'index',
  'input',
  'machine',
  'packet-stream',
  'report',
  'system',
  'terminal',
  'trace',
]);

function isDoor(file: string): boolean {
  return COMPONENT_DOORS.has(roomOf(file) ?? '');
}

/**
 * Whether a file is of our runtime but not one of its doors. A component that imports such a file
 * would get around its confinement.
 */
function isInner(file: string): boolean {
  const room = roomOf(file);
  return room !== undefined && !COMPONENT_DOORS.has(room);
}

/**
 * A file that was written this short a time ago may be written again within one tick of its clock.
 */
const SETTLED_MS = 20;

/** Files that a stock component's libraries read, beside their code. */
function dataOf(moduleUrl: string, { files }: ImportGraph): readonly string[] {
  return stockTrust(moduleUrl).data.flatMap(({ beside, name }) =>
    files.filter((file) => basename(file) === beside).map((file) => join(dirname(file), name)),
  );
}

/** The room of our runtime that a file lies in. */
function roomOf(file: string): string | undefined {
  return /^(?:dist|bundle)\/([^/.]+)/.exec(relative(CORE, file).replaceAll(sep, '/'))?.[1];
}

/** A module that was looked at. */
interface KnownModule {
  readonly graph: ImportGraph;
  /** Its files as they were then; missing if one of them may have changed meanwhile. */
  readonly states: readonly string[] | undefined;
  manifest: ManifestAnswer | undefined;
  /**
   * The first import that breaks the rule where nothing is allowed; missing until that is asked.
   */
  forbidden?: { readonly found: ForbiddenImport | undefined };
}

/** Reads import graphs, and remembers them: several start nodes may run one module. */
export class ComponentImports {
  readonly #graphs: ImportGraphs;
  /** What was known to the check before this one, and nothing of those before that. */
  readonly #before: ReadonlyMap<string, KnownModule>;
  readonly #known = new Map<string, KnownModule>();
  /** What was found out about files for this check: components share many. */
  readonly #looks = new Map<string, FileLook>();
  readonly #unchanged = new Map<KnownModule, boolean>();
  readonly #codes = new Map<string, TravellingCode>();

  /**
   * `directory` is the config file's. What was read for the check before this one is taken over
   * from `before` where no file has changed since.
   */
  constructor(directory: string, before?: ComponentImports) {
    this.#graphs = new ImportGraphs({ directory, conditions: CONDITIONS, isTrusted: isDoor, isInner });
    this.#before = before === undefined ? new Map() : before.#known;
  }

  /** The graph of the module at this URL. */
  of(moduleUrl: string): ImportGraph {
    return this.#module(moduleUrl).graph;
  }

  /**
   * The first import of it that breaks the rule, beside what ginit trusts its own libraries with.
   */
  forbidden(moduleUrl: string, rule: ImportRule = {}): ForbiddenImport | undefined {
    const { allowances = [], noLateImports = false } = rule;
    const known = this.#module(moduleUrl);
    if (allowances.length > 0 || noLateImports) return this.#find(known, moduleUrl, rule);
    known.forbidden ??= { found: this.#find(known, moduleUrl, rule) };
    return known.forbidden.found;
  }

  #find({ graph }: KnownModule, moduleUrl: string, rule: ImportRule): ForbiddenImport | undefined {
    const trusted = [...(rule.allowances ?? []), ...stockTrust(moduleUrl).allowances];
    return findForbidden(graph, { ...rule, allowances: trusted });
  }

  /**
   * Its manifest, if that was read for the check before. Nothing is read here, because the process
   * that reads manifests is to be started before the imports are looked at.
   */
  knownManifest(moduleUrl: string): ManifestAnswer | undefined {
    const old = this.#before.get(moduleUrl);
    return old && this.#isUnchanged(old) ? old.manifest : undefined;
  }

  keepManifest(moduleUrl: string, manifest: ManifestAnswer): void {
    this.#module(moduleUrl).manifest = manifest;
  }

  #module(moduleUrl: string): KnownModule {
    let known = this.#known.get(moduleUrl);
    if (!known) {
      const old = this.#before.get(moduleUrl);
      known = old && this.#isUnchanged(old) ? old : this.#read(moduleUrl);
      this.#known.set(moduleUrl, known);
    }
    return known;
  }

  #isUnchanged(old: KnownModule): boolean {
    const known = this.#unchanged.get(old) ?? this.#looksUnchanged(old);
    this.#unchanged.set(old, known);
    return known;
  }

  #looksUnchanged({ graph, states }: KnownModule): boolean {
    if (states === undefined || graph.absent.some((path) => this.#lookAt(path).state !== MISSING))
      return false;
    return graph.files.every((file, index) => this.#lookAt(file).state === states[index]);
  }

  /**
   * Looks at a file once for the whole check. If it changes after that, the next check finds out.
   */
  #lookAt(file: string): FileLook {
    const known = this.#looks.get(file) ?? lookAtFile(file);
    this.#looks.set(file, known);
    return known;
  }

  /** The states of files; `undefined` if one has changed just before it was read, or since. */
  #statesOf(files: readonly string[], readMs: number): readonly string[] | undefined {
    const looks = files.map((file) => this.#lookAt(file));
    const settled = looks.every(
      ({ writtenMs }) => writtenMs !== undefined && writtenMs <= readMs - SETTLED_MS,
    );
    return settled ? looks.map(({ state }) => state) : undefined;
  }

  #read(moduleUrl: string): KnownModule {
    const beganMs = Date.now();
    const graph = this.#graphs.read(moduleUrl);
    return { graph, states: this.#statesOf(graph.files, beganMs), manifest: undefined };
  }

  /**
   * The files that are read to load the module, and those of our runtime, which is loaded to read
   * its manifest.
   */
  readable(moduleUrl: string): readonly string[] {
    return [...new Set([...this.of(moduleUrl).files, ...this.of(RUNTIME).files])];
  }

  /**
   * The module at this URL as a binary for the supervisor, with what it takes to start it where no
   * start node trusts it.
   */
  binary(moduleUrl: string): ResolvedBinary {
    const graph = this.of(moduleUrl);
    const takes = this.forbidden(moduleUrl) === undefined ? 'nothing' : 'grant and jail';
    const files = [...graph.files, ...dataOf(moduleUrl, graph)];
    return { moduleUrl, files, takes, handsOn: isHolderModule(moduleUrl) };
  }

  /** The code of a binary of these, for another machine. */
  codeOf({ moduleUrl, files }: ResolvedBinary): TravellingCode {
    const code = this.#codes.get(moduleUrl) ?? travellingCode(moduleUrl, this.of(moduleUrl), files, CORE);
    this.#codes.set(moduleUrl, code);
    return code;
  }
}

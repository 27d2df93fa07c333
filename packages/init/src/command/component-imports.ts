/** The import graphs of the components of a config; each is read once. */
import { realpathSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BUNDLED, type ResolvedBinary } from '@ginit/core/supervisor';
import { stockModule } from './stock.ts';
import { findForbidden, type ImportGraph, ImportGraphs } from './imports/index.ts';

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
const DOORS: ReadonlySet<string> = new Set([
  'async',
  'block',
  'config',
  'file_system',
  'host',
  'index',
  'packet-stream',
  'report',
  'system',
]);

function isDoor(file: string): boolean {
  return DOORS.has(roomOf(file) ?? '');
}

/**
 * Whether a file is of our runtime but not one of its doors. A component that imports such a file
 * would get around its confinement.
 */
function isInner(file: string): boolean {
  const room = roomOf(file);
  return room !== undefined && !DOORS.has(room);
}

/** The room of our runtime that a file lies in. */
function roomOf(file: string): string | undefined {
  return /^(?:dist|bundle)\/([^/.]+)/.exec(relative(CORE, file).replaceAll(sep, '/'))?.[1];
}

/** Reads import graphs, and remembers them: several start nodes may run one module. */
export class ComponentImports {
  readonly #graphs: ImportGraphs;
  readonly #known = new Map<string, ImportGraph>();

  /** `directory` is the config file's. */
  constructor(directory: string) {
    this.#graphs = new ImportGraphs({ directory, conditions: CONDITIONS, isTrusted: isDoor, isInner });
  }

  /** The graph of the module at this URL. */
  of(moduleUrl: string): ImportGraph {
    let graph = this.#known.get(moduleUrl);
    if (!graph) {
      graph = this.#graphs.read(moduleUrl);
      this.#known.set(moduleUrl, graph);
    }
    return graph;
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
    const takes = findForbidden(graph) === undefined ? 'nothing' : 'grant and jail';
    return { moduleUrl, files: graph.files, takes, handsOn: moduleUrl === stockModule('init') };
  }
}

/** What the components of a config import, looked at once each. */
import { realpathSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BUNDLED, type ResolvedBinary } from '@ginit/core/supervisor';
import { stockModule } from './stock.ts';
import { findForbidden, type ImportGraph, ImportGraphs } from './imports/index.ts';

/** As the threads of components are started. */
export const CONDITIONS: readonly string[] = BUNDLED ? ['ginit-bundle'] : [];

/** Our runtime's package, with the modules and the bundle in it. */
export const CORE = realpathSync(fileURLToPath(new URL('../', import.meta.resolve('@ginit/core'))));
/** Our runtime, in the form that we have. */
const RUNTIME = pathToFileURL(join(CORE, BUNDLED ? 'bundle' : 'dist', 'index.js')).href;
/**
 * The rooms of our runtime that components may enter. What these need of Node is what confines the component; who enters
 * another room is looked at like anybody else.
 */
const DOORS: ReadonlySet<string> = new Set([
  'async',
  'block',
  'config',
  'file_system',
  'host',
  'index',
  'packet-stream',
  'system',
]);

function isDoor(file: string): boolean {
  return DOORS.has(roomOf(file) ?? '');
}

/** Any other file of our runtime: whoever enters there gets around what confines components. */
function isInner(file: string): boolean {
  const room = roomOf(file);
  return room !== undefined && !DOORS.has(room);
}

/** Which room of our runtime a file lies in. */
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

  /** The files that are read to load the module, and our runtime, where it shows its manifest. */
  readable(moduleUrl: string): readonly string[] {
    return [...new Set([...this.of(moduleUrl).files, ...this.of(RUNTIME).files])];
  }

  /** The module at this URL as core takes it from those whom no start node trusts with it. */
  binary(moduleUrl: string): ResolvedBinary {
    const graph = this.of(moduleUrl);
    const takes = findForbidden(graph) === undefined ? 'nothing' : 'grant and jail';
    return { moduleUrl, files: graph.files, takes, handsOn: moduleUrl === stockModule('init') };
  }
}

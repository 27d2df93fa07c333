/**
 * The code of a component for another machine: every file of its import graph, by hash, and the
 * links by which Node finds packages there. The tree keeps its shape from the nearest directory
 * that has all of it; nothing above that is told. Our runtime stays: each machine has its own.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownPlatform, type TravellingCode, type TravellingFile } from '@ginit/core/supervisor';
import type { ImportGraph } from './graph.ts';

const hashOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** Contents by hash are read again when they are asked for: a code is sent seldom. */
class Contents {
  readonly #paths = new Map<string, string>();

  /** `named` is the path in the tree. */
  add(path: string, named: string): TravellingFile {
    const content = readFileSync(path);
    const hash = hashOf(content);
    this.#paths.set(hash, path);
    return { path: named, hash, bytes: content.byteLength };
  }

  /** The file that was read last, because its pieces are asked for one after the other. */
  #last: { readonly hash: string; readonly content: Uint8Array } | undefined;

  read(hash: string): Uint8Array | undefined {
    if (this.#last?.hash === hash) return this.#last.content;
    const path = this.#paths.get(hash);
    if (path === undefined) return undefined;
    try {
      const content = readFileSync(path);
      if (hashOf(content) !== hash) return undefined;
      this.#last = { hash, content };
      return content;
    } catch {
      return undefined;
    }
  }
}

interface Link {
  /** The path of the link, as it is here. */
  readonly at: string;
  /** Where it leads; missing for our runtime. */
  readonly to: string | undefined;
}

/**
 * The code of the module at this URL. `files` are those that a jail would let it read: the graph,
 * and data of its libraries. `core` is the directory of our runtime.
 */
export function travellingCode(
  moduleUrl: string,
  graph: ImportGraph,
  files: readonly string[],
  core: string,
): TravellingCode {
  const entry = realpathSync.native(fileURLToPath(moduleUrl));
  const isOurs = (path: string): boolean => isBelow(path, core);
  const own = new Set([entry]);
  const links = new Map<string, Link>();
  for (const { what, place, target } of graph.imports) {
    if (target.kind !== 'file' && target.kind !== 'opaque') continue;
    if (target.path === undefined) continue;
    if (!isOurs(target.path)) own.add(target.path);
    const link = linkOf(what, place.file, target.path, isOurs);
    if (link) links.set(link.at, link);
  }
  const known = new Set(graph.files);
  // Data files are no part of the graph, and travel as well.
  for (const file of files) if (!known.has(file) && !isOurs(file)) own.add(file);
  for (const file of graph.files) {
    if (!file.endsWith('/package.json') || isOurs(file)) continue;
    const directory = dirname(file);
    if ([...own].some((one) => isBelow(one, directory))) own.add(file);
  }
  const root = commonDirectory([
    ...own,
    ...[...links.values()].flatMap(({ at, to }) => (to === undefined ? [at] : [at, to])),
  ]);
  const contents = new Contents();
  const here = (path: string): string => relative(root, path);
  return {
    entry: here(entry),
    files: [...own].map((path) => contents.add(path, here(path))),
    links: [...links.values()].map(({ at, to }) => ({
      at: here(at),
      to: to === undefined ? undefined : here(to),
    })),
    native: [...own].some((path) => path.endsWith('.node')) ? ownPlatform() : undefined,
    read: (hash) => contents.read(hash),
  };
}

/** The link by which Node has found a package: in the nearest `node_modules` that has it. */
function linkOf(
  specifier: string,
  importer: string,
  target: string,
  isOurs: (path: string) => boolean,
): Link | undefined {
  if (/^[./#]|^[a-z]+:/.test(specifier)) return undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  for (let directory = dirname(importer); ; directory = dirname(directory)) {
    const at = join(directory, 'node_modules', name);
    if (existsSync(at)) {
      if (isOurs(target)) return { at, to: undefined };
      const to = realpathSync.native(at);
      return to === at ? undefined : { at, to };
    }
    // A package that names itself needs no link.
    if (dirname(directory) === directory) return undefined;
  }
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

/** The nearest directory above all of these paths. */
function commonDirectory(paths: readonly string[]): string {
  let common = dirname(paths[0] ?? '/');
  for (const path of paths) while (!isBelow(path, common)) common = dirname(common);
  return common;
}

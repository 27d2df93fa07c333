/**
 * The one rule, checked: a component that is no driver imports nothing of the host. Its module and everything that this
 * imports, packages included, are read (not run), and an import of a Node module is an error with its place. This
 * finds accidents and honest mistakes; only a jail stops hostile code.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { init, parse } from 'es-module-lexer';

/** An import that breaks the rule. */
export interface ForbiddenImport {
  readonly what: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A component that pulls in more than this is not looked at to its end. */
const FILES_MAX = 5000;
/** Our own runtime: what it imports is what confines the component. */
const TRUSTED = '@ginit/core';
const TRUSTED_FILES = new URL('.', import.meta.resolve(TRUSTED)).href;
const REQUIRE_CALL = /\brequire\s*\(\s*(['"])([^'"]+)\1\s*\)/g;

interface FoundImport {
  readonly specifier: string | undefined;
  readonly offset: number;
  /** Whether it is an `import()`. */
  readonly late: boolean;
}

/** What else is looked for. */
export interface ImportRule {
  /** Imports that happen while the component runs are forbidden, too. */
  readonly noLateImports?: boolean;
}

/** The first import of the host that `moduleUrl` leads to. */
export async function findForbiddenImport(
  moduleUrl: string,
  { noLateImports = false }: ImportRule = {},
): Promise<ForbiddenImport | undefined> {
  await init;
  const waiting = [moduleUrl];
  const seen = new Set(waiting);
  for (let url = waiting.shift(); url !== undefined && seen.size <= FILES_MAX; url = waiting.shift()) {
    const file = fileURLToPath(url);
    if (!existsSync(file) || !/\.[cm]?[jt]s$/.test(file)) continue;
    const source = readFileSync(file, 'utf8');
    for (const { specifier, offset, late } of importsOf(source)) {
      if (specifier === undefined)
        return { what: 'a module whose name is computed', file, ...place(source, offset) };
      if (isBuiltin(specifier)) return { what: specifier, file, ...place(source, offset) };
      if (late && noLateImports) return { what: `${specifier} late`, file, ...place(source, offset) };
      if (specifier === TRUSTED || specifier.startsWith(`${TRUSTED}/`)) continue;
      const next = resolveImport(specifier, url);
      if (next === undefined || seen.has(next) || next.startsWith(TRUSTED_FILES)) continue;
      seen.add(next);
      waiting.push(next);
    }
  }
  return undefined;
}

function importsOf(source: string): FoundImport[] {
  let imports: FoundImport[];
  try {
    const [found] = parse(source);
    // Type 3 is import.meta, which imports nothing.
    imports = found
      .filter(({ d }) => d !== -2)
      .map(({ n, s, d }) => ({ specifier: n, offset: s, late: d >= 0 }));
  } catch {
    // Not a module: the manifest reader, which imports it, says what is wrong with it.
    imports = [];
  }
  for (const match of source.matchAll(REQUIRE_CALL))
    imports.push({ specifier: match[2], offset: match.index, late: false });
  return imports;
}

/** The file that an import leads to; `undefined` if it leads to none, which importing it will tell. */
function resolveImport(specifier: string, from: string): string | undefined {
  try {
    if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, from).href;
    if (specifier.startsWith('file:')) return specifier;
    return pathToFileURL(createRequire(from).resolve(specifier)).href;
  } catch {
    return undefined;
  }
}

function place(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

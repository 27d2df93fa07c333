/**
 * The `package.json` files that Node reads while it resolves imports, read once each and remembered. Each version of Node has a
 * parser of its own for them: of texts that are no plain JSON one takes what the next refuses, and they differ in which of two
 * fields of one name counts. We say what none of them can see otherwise; the rest is ambiguous.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isRecord } from '@ginit/core';
import { fieldNamesOf } from './json-fields.ts';

/** A larger one is not looked into. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** A `main` that means the same as a path and as a URL. */
const PLAIN_MAIN = /^(?!\/)[^%?#\\\p{Cc}]*(?<!\s)$/u;
const FIELDS: ReadonlySet<string> = new Set(['name', 'type', 'main', 'exports', 'imports']);

/** What counts of a `package.json`. */
export interface PackageFile {
  readonly path: string;
  readonly directory: string;
  readonly name: string | undefined;
  readonly type: 'module' | 'commonjs' | undefined;
  readonly main: string | undefined;
  /** As they stand there; `undefined` also for null, which means the same. */
  readonly exports: unknown;
  readonly imports: unknown;
  /** Why nobody can say for sure what Node takes it for. */
  readonly ambiguous: string | undefined;
}

/** Reads `package.json` files as Node does: one that cannot be read is as good as none; importing it will tell. */
export class PackageFiles {
  readonly #known = new Map<string, PackageFile | undefined>();

  /** The `package.json` in this very directory. */
  in(directory: string): PackageFile | undefined {
    if (!this.#known.has(directory)) this.#known.set(directory, readPackageFile(directory));
    return this.#known.get(directory);
  }

  /** The one that a file belongs to: the nearest above it, within its package. */
  scopeOf(file: string): PackageFile | undefined {
    for (let directory = dirname(file); !directory.endsWith('node_modules'); directory = dirname(directory)) {
      const found = this.in(directory);
      if (found || dirname(directory) === directory) return found;
    }
    return undefined;
  }
}

function readPackageFile(directory: string): PackageFile | undefined {
  const path = join(directory, 'package.json');
  const none = { name: undefined, type: undefined, main: undefined, exports: undefined, imports: undefined };
  const ambiguous = (why: string): PackageFile => ({ path, directory, ...none, ambiguous: why });
  let text: string;
  try {
    const state = statSync(path);
    if (!state.isFile()) return ambiguous('it is no regular file');
    if (state.size > FILE_BYTES_MAX) return ambiguous(`it has more than ${FILE_BYTES_MAX} bytes`);
    // Takes a byte order mark away, as Node does.
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    return error instanceof TypeError ? ambiguous('it is not in UTF-8') : undefined;
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return ambiguous('it is no JSON');
  }
  if (!isRecord(content)) return ambiguous('it is no object');
  const { name, type, main, exports, imports } = content;
  return {
    path,
    directory,
    name: typeof name === 'string' ? name : undefined,
    type: type === 'module' || type === 'commonjs' ? type : undefined,
    main: typeof main === 'string' ? main : undefined,
    exports: exports ?? undefined,
    imports: imports ?? undefined,
    ambiguous: ambiguityOf(text, content),
  };
}

function ambiguityOf(text: string, { main, exports }: Readonly<Record<string, unknown>>): string | undefined {
  const seen = new Set<string>();
  for (const { name, escaped } of fieldNamesOf(text)) {
    if (!FIELDS.has(name)) continue;
    if (escaped) return `it spells "${name}" with escapes`;
    if (seen.has(name)) return `it has two fields "${name}"`;
    seen.add(name);
  }
  if (typeof exports === 'number' || typeof exports === 'boolean')
    return `its "exports" is a ${typeof exports}`;
  if (typeof main === 'string' && !PLAIN_MAIN.test(main)) return 'its "main" is no plain path';
  return undefined;
}

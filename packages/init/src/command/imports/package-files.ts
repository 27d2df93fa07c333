/**
 * The `package.json` files that Node reads while it resolves imports, read once each and
 * remembered. Versions of Node have different parsers for them: one accepts a text that is no plain
 * JSON and another refuses it, and they differ in which of two fields of the same name counts. We
 * decide only where all of them must agree; the rest is ambiguous.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isRecord } from '@ginit/core';
import { fieldNamesOf } from './json-fields.ts';

/** A larger file is not read. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** A `main` that means the same as a path and as a URL. */
const PLAIN_MAIN = /^(?!\/)[^%?#\\\p{Cc}]*(?<!\s)$/u;
const FIELDS: ReadonlySet<string> = new Set(['name', 'type', 'main', 'exports', 'imports']);

/** The fields of a `package.json` that matter for imports. */
export interface PackageFile {
  readonly path: string;
  readonly directory: string;
  readonly name: string | undefined;
  readonly type: 'module' | 'commonjs' | undefined;
  readonly main: string | undefined;
  /** The fields as they are written; `undefined` also for null, which means the same. */
  readonly exports: unknown;
  readonly imports: unknown;
  /** The reason why versions of Node may read this file differently. */
  readonly ambiguous: string | undefined;
}

/**
 * Reads `package.json` files as Node does. A file that cannot be read counts as missing: importing
 * it fails with a message anyway.
 */
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

  /** Where a `package.json` would be that a file belonged to instead of the one that it does. */
  absentTo(file: string): string[] {
    const absent: string[] = [];
    for (let directory = dirname(file); !directory.endsWith('node_modules'); directory = dirname(directory)) {
      if (this.in(directory) || dirname(directory) === directory) break;
      absent.push(join(directory, 'package.json'));
    }
    return absent;
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
    // The decoder takes a byte order mark away, as Node does.
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

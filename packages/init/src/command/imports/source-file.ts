/** Opens the files of an import graph as Node would. */
import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import type { PackageFiles } from './package-files.ts';
import type { SourceFormat } from './parse.ts';
import { stripsTypes } from './node-features.ts';
import { strippedTypes } from './types.ts';

/** A larger file is not read. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** A file: its source, if it has one that imports can be in, or why it cannot be looked into. */
export type OpenedFile =
  | { readonly source: string; readonly format: SourceFormat }
  | { readonly problem: string }
  | { readonly data: true };

/** Reads a module's file. */
export function openSource(file: string, packages: PackageFiles): OpenedFile {
  const state = statSync(file, { throwIfNoEntry: false });
  if (!state?.isFile()) return { problem: 'it is no regular file' };
  if (state.size > FILE_BYTES_MAX) return { problem: `it has more than ${FILE_BYTES_MAX} bytes` };
  const extension = extname(file);
  if (extension === '.json') return { data: true };
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch {
    return { problem: 'it cannot be read' };
  }
  if (isTypeScript(file)) {
    const stripped = strippedTypes(source);
    if (stripped === undefined) return { problem: 'Node cannot strip its types' };
    source = stripped;
  }
  return { source, format: formatOf(file, packages) };
}

/**
 * Decides the format as Node does: by the extension, then by the package, then by the syntax. If
 * Node does not know the extension, the package's `type` counts for `import` only: `require` takes
 * every file that is not called `.js` for CommonJS, whichever package it lies in.
 */
function formatOf(file: string, packages: PackageFiles): SourceFormat {
  const extension = extname(file);
  const isKnown = /^\.[cm]?js$/.test(extension) || isTypeScript(file);
  if (!isKnown) return 'either';
  if (extension.startsWith('.m')) return 'module';
  if (extension.startsWith('.c')) return 'commonjs';
  return packages.scopeOf(file)?.type ?? 'either';
}

/** Whether Node takes a file for TypeScript; it does not in packages that are installed. */
function isTypeScript(file: string): boolean {
  return /\.[cm]?ts$/.test(file) && stripsTypes() && installedPackage(file) === undefined;
}

/**
 * The directory, with a slash, of the installed package that a file belongs to; `undefined` outside
 * of `node_modules`.
 */
export function installedIn(file: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(file)?.[0];
}

/**
 * The name of the installed package that a file belongs to; `undefined` outside of `node_modules`.
 */
export function installedPackage(file: string): string | undefined {
  return installedIn(file)
    ?.replace(/^.*\/node_modules\//, '')
    .slice(0, -1);
}

/** Opens the files of an import graph as Node would. */
import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import type { PackageFiles } from './package-files.ts';
import { hasModuleSyntax, type SourceFormat } from './parse.ts';
import { strippedTypes, stripsTypes } from './types.ts';

/** A larger one is not looked into. */
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
  // In packages Node takes no TypeScript.
  if (/^\.[cm]?ts$/.test(extension) && stripsTypes() && installedPackage(file) === undefined) {
    const stripped = strippedTypes(source);
    if (stripped === undefined) return { problem: 'Node cannot strip its types' };
    source = stripped;
  }
  return { source, format: formatOf(file, source, packages) };
}

/** As Node decides it: by the extension, then by the package, then by the syntax. */
function formatOf(file: string, source: string, packages: PackageFiles): SourceFormat {
  const extension = extname(file);
  if (extension === '.mjs' || extension === '.mts') return 'module';
  if (extension === '.cjs' || extension === '.cts') return 'commonjs';
  return packages.scopeOf(file)?.type ?? (hasModuleSyntax(source) ? 'module' : 'commonjs');
}

/** The directory, with a slash, of the installed package that a file belongs to; `undefined` outside of `node_modules`. */
export function installedIn(file: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(file)?.[0];
}

/** The name of that package. */
export function installedPackage(file: string): string | undefined {
  return installedIn(file)
    ?.replace(/^.*\/node_modules\//, '')
    .slice(0, -1);
}

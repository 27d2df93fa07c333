/** The `package.json` files that Node reads while it resolves imports, read once each and remembered. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isRecord } from '@ginit/core';

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
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!isRecord(content)) return undefined;
    const { name, type, main, exports, imports } = content;
    return {
      path,
      directory,
      name: typeof name === 'string' ? name : undefined,
      type: type === 'module' || type === 'commonjs' ? type : undefined,
      main: typeof main === 'string' ? main : undefined,
      exports: exports ?? undefined,
      imports: imports ?? undefined,
    };
  } catch {
    return undefined;
  }
}

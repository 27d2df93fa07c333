/**
 * The modules of a kernel, from the directory of its package. Packages have no list of what depends
 * on what: depmod makes that where a kernel is installed. Each module says it itself.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** A module and what it needs. */
export interface KernelModule {
  readonly name: string;
  /** Its path below the directory of the kernel's modules. */
  readonly path: string;
  /**
   * Paths of all modules that are loaded before it; the last of them first, as in `modules.dep`.
   */
  readonly needs: readonly string[];
}

/** The name of a module, by its file: Linux takes `-` and `_` for the same. */
function nameOf(file: string): string {
  return basename(file, '.ko').replaceAll('-', '_');
}

/**
 * The modules that these names lead to, what is needed first. Names that are built in are skipped.
 */
export function modulesFor(names: readonly string[], directory: string): KernelModule[] {
  const files = new Map(
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ko'))
      .map((file) => [nameOf(file), file]),
  );
  const found = new Map<string, KernelModule>();
  const visit = (name: string): void => {
    const file = files.get(name);
    if (file === undefined || found.has(name)) return;
    const direct = dependenciesOf(readFileSync(join(directory, file)));
    for (const needed of direct) visit(needed);
    const all = new Set(direct.flatMap((needed) => found.get(needed)?.path ?? []));
    for (const needed of direct) for (const path of found.get(needed)?.needs ?? []) all.add(path);
    // Whatever was found earlier needs nothing of what was found later.
    const needs = Array.from(found.values(), ({ path }) => path).filter((path) => all.has(path));
    found.set(name, { name, path: file, needs: needs.toReversed() });
  };
  for (const name of names) visit(name.replaceAll('-', '_'));
  return [...found.values()];
}

/** The names in the field `depends` of a module. */
export function dependenciesOf(module: Uint8Array): string[] {
  const text = Buffer.from(module.buffer, module.byteOffset, module.byteLength).toString('latin1');
  // Fields are texts that end with a zero, and begin behind one.
  const field = /\0depends=([\w,-]*)\0/.exec(text)?.[1] ?? '';
  return field
    .split(',')
    .filter((name) => name !== '')
    .map((name) => name.replaceAll('-', '_'));
}

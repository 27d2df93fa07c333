/**
 * The names that were found lately, by directory, as the kernels have a name cache: who comes back
 * to a file finds it without a look at the directory. A name that is taken away is dropped by the
 * mount, through which all changes go. Bounded for the whole mount; the directory that came first
 * goes first.
 */
import type { Vnode } from './vnode.ts';

/** The cache. */
export class NameCache {
  readonly #namesMax: number;
  readonly #directories = new Set<Vnode>();
  #count = 0;

  constructor(namesMax: number) {
    this.#namesMax = namesMax;
  }

  /** Notes that a name of a directory leads to a node. */
  put(directory: Vnode, name: string, id: number): void {
    if (directory.names === undefined) {
      directory.names = new Map();
      this.#directories.add(directory);
    }
    const before = directory.names.size;
    directory.names.set(name, id);
    this.#count += directory.names.size - before;
    for (const oldest of this.#directories) {
      if (this.#count <= this.#namesMax) break;
      this.clear(oldest);
    }
  }

  drop(directory: Vnode, name: string): void {
    if (directory.names?.delete(name) === true) this.#count -= 1;
  }

  /** Forgets all names of a directory. */
  clear(directory: Vnode): void {
    this.#count -= directory.names?.size ?? 0;
    directory.names = undefined;
    this.#directories.delete(directory);
  }
}

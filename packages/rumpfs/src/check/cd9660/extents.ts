import type { Findings } from '../report.ts';

interface Extent {
  readonly from: number;
  readonly to: number;
  readonly what: string;
  readonly directory: boolean;
}

/** The most extents that are kept to be compared with each other. */
const EXTENTS_MAX = 4_000_000;

/**
 * Which bytes belong to what. Two files may be the same bytes, and the trees of several volumes
 * share their files; but nothing may begin within something else, and a directory is nobody's file.
 */
export class Extents {
  readonly #list: Extent[] = [];

  add(from: number, size: number, what: string, directory: boolean): void {
    if (size > 0 && this.#list.length < EXTENTS_MAX)
      this.#list.push({ from, to: from + size, what, directory });
  }

  check(found: Findings): void {
    let last: Extent | undefined;
    for (const one of this.#list.toSorted((left, right) => left.from - right.from)) {
      if (
        last !== undefined &&
        one.from < last.to &&
        (one.from !== last.from || one.directory !== last.directory)
      )
        found.damage(`${one.what} at byte ${one.from} lies in ${last.what} at byte ${last.from}`);
      if (last === undefined || one.to > last.to) last = one;
    }
  }
}

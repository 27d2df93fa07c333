/**
 * Finds which of many causes are needed. This is delta debugging, the algorithm `ddmin` of Zeller
 * and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (IEEE Transactions on
 * Software Engineering 28, 2002). A list is split into parts. If a part fails by itself, the search
 * goes on with that part; else if the list fails without some part, it goes on without that part;
 * else the parts are made smaller. At the end no single cause can be left out without the failure
 * going away. That does not promise that no smaller list exists.
 */

/** Finds the first of these lists, by their order, that fails; `undefined` if none does. */
export type FirstFailing<T> = (lists: readonly (readonly T[])[]) => Promise<number | undefined>;

/**
 * Makes a list of causes that fails as small as possible; `firstFailing` may end the search by
 * throwing. `smaller` is called with each smaller list that fails, and may drop causes from it that
 * it knows to be irrelevant.
 */
export async function minimise<T>(
  causes: readonly T[],
  firstFailing: FirstFailing<T>,
  smaller: (causes: readonly T[]) => readonly T[],
): Promise<readonly T[]> {
  if (causes.length > 0 && (await firstFailing([[]])) === 0) return smaller([]);
  let rest = causes;
  let count = 2;
  while (rest.length > 1) {
    const parts = split(rest, count);
    // With two parts, the list without one part is the other part.
    const lefts = count === 2 ? [] : parts.map((part) => rest.filter((cause) => !part.includes(cause)));
    const lists = [...parts, ...lefts];
    const found = await firstFailing(lists);
    const list = found === undefined ? undefined : lists[found];
    if (found === undefined || !list) {
      if (count >= rest.length) return rest;
      count = Math.min(rest.length, count * 2);
      continue;
    }
    rest = smaller(list);
    count = found < parts.length ? 2 : Math.max(2, Math.min(rest.length, count - 1));
  }
  return rest;
}

/** Splits a list into parts of nearly equal size, in their order. */
function split<T>(list: readonly T[], count: number): (readonly T[])[] {
  const at = (index: number): number => Math.floor((index * list.length) / count);
  return Array.from({ length: count }, (_, index) => list.slice(at(index), at(index + 1)));
}

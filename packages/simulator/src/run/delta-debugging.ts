/**
 * Which of many causes are needed: delta debugging, the algorithm `ddmin` of Zeller and Hildebrandt, "Simplifying and
 * Isolating Failure-Inducing Input" (IEEE Transactions on Software Engineering 28, 2002). A list is split into parts; a
 * part that fails by itself is gone on with, else what is left without a part that is not needed, else the parts are made
 * smaller. At the end nothing can be left out any more without the failure going away; that is no promise that no smaller
 * list exists.
 */

/** Says which of these lists fails, the first by their order; none: `undefined`. */
export type FirstFailing<T> = (lists: readonly (readonly T[])[]) => Promise<number | undefined>;

/**
 * A list of causes that fails itself is made as small as can be; `firstFailing` may end it by throwing. `smaller` is told of
 * each smaller list that fails, and may leave out of it what it knows to be of no account.
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
    // With two parts, what is left without one is the other.
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

/** Parts of nearly one size, in their order. */
function split<T>(list: readonly T[], count: number): (readonly T[])[] {
  const at = (index: number): number => Math.floor((index * list.length) / count);
  return Array.from({ length: count }, (_, index) => list.slice(at(index), at(index + 1)));
}

/**
 * The name among `candidates` that `name` is most likely a slip of, or `undefined`. Distances are
 * Damerau-Levenshtein's in its restricted form: insertions, deletions, substitutions and swaps of
 * neighbours cost one each. A third of the name may be wrong, at least one letter; letters that
 * differ only in case are half a slip, so `RAM` finds `ram`.
 */
export function suggest(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > SUGGEST_LENGTH_MAX) return undefined;
  const bound = Math.max(1, Math.floor(name.length / 3));
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    if (candidate.length > SUGGEST_LENGTH_MAX || candidate === name) continue;
    const sameButCase = candidate.toLowerCase() === name.toLowerCase();
    const distance = sameButCase ? 0.5 : editDistance(name, candidate);
    if (distance <= bound && distance < bestDistance && distance < name.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "x"?)` if there is a suggestion, else nothing: to be put behind a message. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const suggestion = suggest(name, candidates);
  return suggestion === undefined ? '' : ` (did you mean "${suggestion}"?)`;
}

/** Longer names are compared with nothing: the cost grows with the product of the lengths. */
const SUGGEST_LENGTH_MAX = 64;

/** Restricted Damerau-Levenshtein distance, in UTF-16 units. */
export function editDistance(left: string, right: string): number {
  let twoBack: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, (twoBack[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    twoBack = previous;
    previous = current;
  }
  return previous[right.length] ?? 0;
}

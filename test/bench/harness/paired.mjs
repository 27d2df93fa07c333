/**
 * Statistics of pairs. Two builds take turns, and each pair of runs gives one ratio; so anything
 * that slows the machine down for a while slows both. The verdict rests on the median of these
 * ratios and its confidence interval, which comes from order statistics: no assumption is made
 * about the distribution of the ratios.
 */
import { median } from './measure.mjs';

/** A build is called slower when even the upper end of the interval is below this. */
export const NOT_SLOWER = 0.97;
/** Fewer pairs than this cannot carry an interval of 95 %. */
export const PAIRS_MIN = 6;
const CONFIDENCE = 0.95;

/**
 * Whether a smaller figure is better; `undefined` for figures that are neither good nor bad. The
 * unit stands at the end of the name.
 */
export function lessIsBetter(figure) {
  if (/(?:Us|Ms|Ns|MiB|Mib)$/.test(figure)) return true;
  if (/PerSecond/.test(figure)) return false;
  return undefined;
}

/**
 * The ratio by which the new build was better in one pair; below 1 it was worse. `undefined` for
 * figures without a direction.
 */
export function pairedRatio(figure, current, other) {
  const less = lessIsBetter(figure);
  if (less === undefined) return undefined;
  return less ? other / current : current / other;
}

/**
 * The median of the ratios and its interval: `{ median, low, high, confidence }`. The interval
 * spans from the k-th lowest to the k-th highest ratio, with the largest k for which it still
 * covers the true median with 95 %; with fewer than six ratios it spans all of them, and
 * `confidence` says how much that is worth.
 */
export function medianInterval(ratios) {
  const sorted = ratios.toSorted((first, second) => first - second);
  let [cut, confidence] = [0, 1 - 2 * tail(sorted.length, 0)];
  for (let next = 1; next < sorted.length / 2; next++) {
    const covered = 1 - 2 * tail(sorted.length, next);
    if (covered < CONFIDENCE) break;
    [cut, confidence] = [next, covered];
  }
  return { median: median(sorted), low: sorted[cut], high: sorted[sorted.length - 1 - cut], confidence };
}

/** The chance that at most `most` of `count` ratios lie below their true median. */
function tail(count, most) {
  let [sum, ways] = [0, 1];
  for (let below = 0; below <= most; below++) {
    sum += ways;
    ways = (ways * (count - below)) / (below + 1);
  }
  return sum / 2 ** count;
}

/** Whether the measurements show that the new build is slower by more than 3 %. */
export function isSlower({ high }) {
  return high < NOT_SLOWER;
}

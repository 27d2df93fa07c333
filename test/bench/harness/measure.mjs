/**
 * How a contender measures itself: warm up, find how many operations fill a batch, then time
 * batches and take the median one. It runs in components and in workers alike. Components have no
 * clock of their own elsewhere; these use the thread's, because a Timer session would measure
 * itself.
 */

/** The value in the middle. */
export function median(values) {
  const sorted = values.toSorted((first, second) => first - second);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Microseconds that one operation takes. `run(count)` performs that many and settles when all are
 * done. `settings`: `warmUpMs`, `batchMs` (length of a batch), `batches`.
 */
export async function microsecondsEach(run, { warmUpMs, batchMs, batches }) {
  const begin = performance.now();
  let count = 4;
  let tookMs = 0;
  do {
    if (tookMs < batchMs / 2) count *= 2;
    tookMs = await timed(run, count);
  } while (tookMs < batchMs / 2 || performance.now() - begin < warmUpMs);
  count = Math.max(1, Math.round((count * batchMs) / tookMs));
  const samples = [];
  for (let batch = 0; batch < batches; batch++) samples.push(((await timed(run, count)) * 1000) / count);
  return median(samples);
}

async function timed(run, count) {
  const begin = performance.now();
  await run(count);
  return performance.now() - begin;
}

/**
 * The work that every contender of `block` does in the same way: requests on one file or device,
 * a number of them under way all the time.
 */
import { microsecondsEach } from '../harness/measure.mjs';

/** The part of the file or device that is used. */
export const SPAN_BYTES = 128 * 1024 * 1024;
export const BLOCK_BYTES = 4096;
const LARGE_BYTES = 1024 * 1024;
const DEPTHS = [1, 8, 64];

/** The kinds of requests, by the beginning of their figures' names. */
const KINDS = {
  read4K: { write: false, bytes: BLOCK_BYTES, random: true },
  write4K: { write: true, bytes: BLOCK_BYTES, random: true },
  read1M: { write: false, bytes: LARGE_BYTES, random: false },
  write1M: { write: true, bytes: LARGE_BYTES, random: false },
};

/** All workloads: figures of 4 KiB are requests in a second, those of 1 MiB are MB in a second. */
export const WORKLOADS = Object.entries(KINDS).flatMap(([kind, what]) =>
  DEPTHS.map((depth) => Object.assign({ key: `${kind}x${depth}`, kind, depth }, what)),
);

/** The workloads whose number is set in `mask`. */
export const workloadsOf = (mask) => WORKLOADS.filter((_, number) => (mask & (1 << number)) !== 0);
/** A mask of the workloads for which `which` is true. */
export const maskOf = (which) =>
  WORKLOADS.reduce((mask, workload, number) => (which(workload) ? mask | (1 << number) : mask), 0);

/** The positions of one workload's requests, one after the other, in bytes. */
function positions({ bytes, random }) {
  const places = SPAN_BYTES / bytes;
  let state = 1;
  return () => {
    state = random ? (Math.imul(state, 1_103_515_245) + 12_345) >>> 0 : state + 1;
    return ((random ? state >>> 8 : state) % places) * bytes;
  };
}

/**
 * Performs `count` requests, `depth` of them at a time; `perform(lane, position)` settles with
 * each.
 */
async function inLanes(count, { depth }, next, perform) {
  let left = count;
  const lane = async (number) => {
    while (left > 0) {
      left--;
      await perform(number, next());
    }
  };
  await Promise.all(Array.from({ length: depth }, (_, number) => lane(number)));
}

/**
 * Measures all workloads, one after the other; the result is their figures by key. `start(workload)`
 * makes the function that performs one request of it. A warm-up with all of them comes first: they
 * run the same code, and the first one would be measured while V8 compiles it.
 */
export async function figuresOf({ workloads: mask, ...settings }, start) {
  const workloads = workloadsOf(mask);
  const measure = (workload, times) => {
    const perform = start(workload);
    const next = positions(workload);
    return microsecondsEach((count) => inLanes(count, workload, next, perform), times);
  };
  const firstMs = settings.firstWarmUpMs / workloads.length;
  for (const workload of workloads) await measure(workload, { ...settings, warmUpMs: firstMs, batches: 1 });
  const figures = {};
  for (const workload of workloads) {
    figures[workload.key] = figureOf(workload, await measure(workload, settings));
  }
  return figures;
}

/** The figure for requests that take so many microseconds each. */
export const figureOf = ({ bytes }, us) => (bytes === BLOCK_BYTES ? 1e6 / us : bytes / us);

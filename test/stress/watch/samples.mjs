/**
 * Samples over time of the processes that live from the warm-up to the end, and whether they grow:
 * the median of the first third against that of the last. What comes and goes with mortal
 * components is not compared, it is gone in the end.
 */
import { total } from './processes.mjs';

const WARM_UP_SHARE = 0.3;
/** Fewer samples than these say nothing about growth. */
const SAMPLES_MINIMUM = 12;

/**
 * How much the last third may have over the first: a share of it, and an amount a process. Memory
 * is V8's, which collects garbage when it likes (heaps are bounded, see `heap` in the config); a
 * thread or descriptor too many stays too many.
 */
const TOLERANCES = {
  rssMiB: { share: 0.1, each: 12 },
  threads: { share: 0.05, each: 1 },
  descriptors: { share: 0.1, each: 2 },
  mappings: { share: 0.1, each: 60 },
};

/** The same for the memory of each process by itself. */
const EACH_RSS = { share: 0.25, mib: 40 };

function median(numbers) {
  const sorted = numbers.toSorted((first, second) => first - second);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Samples of a run. */
export class Samples {
  #all = [];

  add(processes) {
    if (processes.length > 0) this.#all.push(processes);
  }

  /**
   * The medians by measure, `{ rssMiB: { first, last }, … }`, and what has grown beyond tolerance,
   * as texts.
   */
  judge() {
    const warm = this.#all.slice(Math.floor(this.#all.length * WARM_UP_SHARE));
    const lasting = (warm[0] ?? []).filter(({ pid }) =>
      warm.every((all) => all.some((one) => one.pid === pid)),
    );
    const pids = new Set(lasting.map(({ pid }) => pid));
    const third = Math.max(1, Math.floor(warm.length / 3));
    const medians = {};
    const grown = [];
    for (const [key, { share, each }] of Object.entries(TOLERANCES)) {
      const sums = warm.map((all) =>
        total(
          all.filter(({ pid }) => pids.has(pid)),
          key,
        ),
      );
      const first = median(sums.slice(0, third));
      const last = median(sums.slice(-third));
      medians[key] = { first, last };
      const most = first * (1 + share) + each * pids.size;
      if (warm.length >= SAMPLES_MINIMUM && last > most) {
        grown.push(`${key} of ${pids.size} processes grew from ${first.toFixed(0)} to ${last.toFixed(0)}`);
      }
    }
    if (warm.length >= SAMPLES_MINIMUM) grown.push(...growing(warm, pids, third));
    return { medians, grown, processes: pids.size };
  }
}

/** Processes whose memory has grown, though perhaps not enough to show in the sum. */
function growing(warm, pids, third) {
  return [...pids].flatMap((pid) => {
    const sizes = warm.map((all) => all.find((one) => one.pid === pid).rssMiB);
    const first = median(sizes.slice(0, third));
    const last = median(sizes.slice(-third));
    if (last <= first * (1 + EACH_RSS.share) + EACH_RSS.mib) return [];
    return [`process ${pid} grew from ${first.toFixed(0)} to ${last.toFixed(0)} MiB`];
  });
}

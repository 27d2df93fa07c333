/**
 * Rounds: every contender runs once, then every contender again, so that changes over time affect
 * all alike.
 */
import { runOnce } from './contender.mjs';
import { median } from './measure.mjs';

/** A benchmark takes about five minutes: no round begins that would end after this time. */
const BUDGET_MS = 300_000;
const ROUNDS_MIN = 3;

/** The measured figures, by contender and name. */
export class Measurements {
  #samples = new Map();

  add(contender, figures) {
    for (const [key, value] of Object.entries(figures)) {
      const name = `${contender.id}.${key}`;
      const samples = this.#samples.get(name) ?? [];
      samples.push(value);
      this.#samples.set(name, samples);
    }
  }

  /** All samples of a figure; empty if its contender did not run. */
  samples(id, key) {
    return this.#samples.get(`${id}.${key}`) ?? [];
  }

  /** Median of the rounds; `undefined` if its contender did not run. */
  median(id, key) {
    const samples = this.samples(id, key);
    return samples.length === 0 ? undefined : median(samples);
  }
}

/**
 * Runs the contenders `rounds` times, interleaved, or as often as one's own `rounds` says;
 * `progress` is called with every result.
 */
export async function runRounds(contenders, rounds, progress) {
  const measurements = new Measurements();
  const begin = performance.now();
  for (let round = 1; round <= rounds; round++) {
    const roundBegin = performance.now();
    for (const contender of contenders) {
      if (round > (contender.rounds ?? rounds)) continue;
      const figures = await runOnce(contender);
      measurements.add(contender, figures);
      progress(round, contender, figures);
    }
    const now = performance.now();
    const late = now - begin + (now - roundBegin) > BUDGET_MS;
    if (round >= ROUNDS_MIN && late) return { measurements, rounds: round };
  }
  return { measurements, rounds };
}

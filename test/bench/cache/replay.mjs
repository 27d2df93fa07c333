/** Replays a trace of block requests with every policy and size. */
import { makePolicy, POLICY_NAMES, Shadow } from '@ginit/blockcache/policy';
import { beladyHits, nextUses } from './belady.mjs';

export const OPTIMUM = 'belady';
const CHUNK_COUNT = 2 ** 32 - 1;

/** The hits of one policy. */
function hitsOf(name, slots, trace) {
  const directory = new Shadow((memory) => makePolicy(name, memory), slots, CHUNK_COUNT);
  let hits = 0;
  for (let at = 0; at < trace.length; at++) if (directory.use(trace[at])) hits++;
  return hits;
}

/**
 * Hit ratios in percent, by policy and size. `progress` is called with each as it comes.
 */
export function replay(trace, sizes, progress = () => {}) {
  const ratios = Object.fromEntries([...POLICY_NAMES, OPTIMUM].map((name) => [name, {}]));
  const next = nextUses(trace);
  for (const size of sizes) {
    for (const name of [...POLICY_NAMES, OPTIMUM]) {
      const hits = name === OPTIMUM ? beladyHits(trace, next, size) : hitsOf(name, size, trace);
      ratios[name][size] = trace.length === 0 ? 0 : (100 * hits) / trace.length;
      progress(name, size, ratios[name][size]);
    }
  }
  return ratios;
}

/** The times for which contenders measure; they are the same within a run. */

/**
 * For figures. On one CPU V8's compilers take their time from what they compile: a shorter warm-up
 * measures them.
 */
export const FULL = { warmUpMs: 2000, batchMs: 40, batches: 5 };
/** For finding out whether a benchmark works at all. */
export const QUICK = { warmUpMs: 10, batchMs: 4, batches: 3 };

/** Settings of a contender as attributes of a component's config. */
export function toAttributes(settings) {
  return Object.entries(settings)
    .map(([name, value]) => `${name}="${value}"`)
    .join(' ');
}

/** The settings that a component's config holds. */
export function fromConfig(config) {
  return Object.fromEntries(
    [...config.node.attributes].map(([name]) => [name, Number(config.node.value(name))]),
  );
}

/** How long contenders measure; the same for all of a run. */

/** For figures. */
export const FULL = { warmUpMs: 400, batchMs: 40, batches: 5 };
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
  return Object.fromEntries([...config.node.attributes].map(([name]) => [name, config.integer(name)]));
}

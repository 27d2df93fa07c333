/** Numbers that look random and are a pure function of their keys: what a plan is made of. */

/** FNV-1a, 32 bits, over the keys' text. */
function hash(text) {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}

/**
 * A generator (mulberry32, in the public domain) that the keys seed: `below(n)` is an integer from
 * 0 to n - 1, `between(a, b)` one from a to b, `chance(p)` is true with that probability,
 * `pick(list)` an item.
 */
export function randomFor(...keys) {
  let state = hash(keys.join('/'));
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit) => Math.floor(fraction() * limit);
  return {
    below,
    between: (first, last) => first + below(last - first + 1),
    chance: (probability) => fraction() < probability,
    pick: (list) => list[below(list.length)],
    /** An item of `[[weight, item], …]`. */
    weighted: (entries) => {
      let left = below(entries.reduce((sum, [weight]) => sum + weight, 0));
      return entries.find(([weight]) => (left -= weight) < 0)[1];
    },
  };
}

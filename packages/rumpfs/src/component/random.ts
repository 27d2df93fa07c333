/**
 * Pseudo-random bytes for hash seeds and for spreading directories over a disk; nothing that must
 * be secret. A component has no randomness but that of a session, and the time of its start is
 * enough for this. xorshift32 (Marsaglia, "Xorshift RNGs", 2003).
 */
export function pseudoRandom(seed: number): (into: Uint8Array) => void {
  let state = seed >>> 0 || 1;
  return (into) => {
    for (let i = 0; i < into.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      into[i] = state >>> 11;
    }
  };
}

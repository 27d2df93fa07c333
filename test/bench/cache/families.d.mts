/** What `families.mjs` exports, for tests. */
export const USES: number;
type Make = (seed: number) => Uint32Array;
export const TUNING: Readonly<Record<string, Make>>;
export const HELD_OUT: Readonly<Record<string, Make>>;

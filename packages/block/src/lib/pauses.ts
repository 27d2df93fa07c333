const FIRST_MS = 100;
const LONGEST_MS = 5000;

/** The pauses between attempts to reach a server, in milliseconds: each is twice the one before. */
export function* pauses(): Generator<number, never> {
  for (let pauseMs = FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_MS)) yield pauseMs;
}

/**
 * Timeouts of any length: a timer of Node's takes 2^31 - 1 milliseconds (24.8 days) at most, and
 * fires at once beyond.
 */

const TIMER_MS_MAX = 2 ** 31 - 1;

/** Calls `handler` after `ms` milliseconds; the result cancels it. */
export function longTimeout(ms: number, handler: () => void): () => void {
  let left = ms;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const step = Math.min(left, TIMER_MS_MAX);
    left -= step;
    timer = setTimeout(left > 0 ? arm : handler, step);
  };
  arm();
  return () => clearTimeout(timer);
}

/**
 * Milliseconds of a clock that never goes back. As `performance.now()`, which takes each thread
 * some milliseconds to load.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1_000_000;
}

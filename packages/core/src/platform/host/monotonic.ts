/**
 * Milliseconds of a clock that never goes back. It is the clock of `performance.now()`, but that
 * takes each thread some milliseconds to load.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1_000_000;
}

/** The same in microseconds. All processes of the machine share this clock. */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000_000 + nanoseconds / 1000;
}

/**
 * Real time and turns of the event loop, as they were when this module was loaded: a test that
 * replaces the timers of its thread by false ones does not stop what goes on under it.
 */

const { clearTimeout, setImmediate, setTimeout } = globalThis;

/** Calls `action` in a later turn of the event loop. */
export const laterTurn = (action: () => void): void => void setImmediate(action);

/** Settles in a later turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => laterTurn(resolve));
}

/** Calls `action` after so many milliseconds of real time; the result cancels it. */
export function afterMs(ms: number, action: () => void): () => void {
  const timer = setTimeout(action, ms);
  return () => clearTimeout(timer);
}

/** Settles after so many milliseconds of real time. It keeps no process alive. */
export function delayMs(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}

/**
 * Settles as `promise` does; rejects with the error that `tooLate` makes if that takes longer
 * than `ms` of real time.
 */
export async function withinMs<Value>(
  promise: Promise<Value>,
  ms: number,
  tooLate: () => Error,
): Promise<Value> {
  let cancel: () => void = () => {};
  const late = new Promise<never>((_, reject) => {
    cancel = afterMs(ms, () => reject(tooLate()));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
  }
}

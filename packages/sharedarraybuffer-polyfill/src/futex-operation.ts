/** Operations of futex(2), in the variant that works between processes. */
export const FUTEX_OPERATION = { wait: 0, wake: 1 } as const;

/** Most waiters that one wake can name. */
export const WAKE_ALL = 2 ** 31 - 1;

const NANOSECONDS = 1_000_000_000n;

/** A struct timespec of a 64-bit system. */
export function timespec(nanoseconds: bigint): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(16);
  setTimespec(bytes, nanoseconds);
  return bytes;
}

/** Fills a struct timespec. */
export function setTimespec(bytes: Uint8Array, nanoseconds: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  view.setBigInt64(0, nanoseconds / NANOSECONDS, true);
  view.setBigInt64(8, nanoseconds % NANOSECONDS, true);
}

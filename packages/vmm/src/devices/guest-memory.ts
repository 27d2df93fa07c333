/**
 * The memory of a guest as our devices see it. Addresses and lengths come from the guest and are
 * never trusted: whatever is outside of its memory is a fault of the guest's.
 */

/** The guest has told a device something impossible. */
export class GuestFault extends Error {
  override readonly name = 'GuestFault';
}

/** Guest physical memory. */
export interface GuestMemory {
  readonly sizeBytes: number;
  /**
   * The bytes themselves, valid until the next turn of the event loop. Throws `GuestFault` if they
   * are not all in memory.
   */
  view(address: number, length: number): Uint8Array;
  /** Says that a device has written there, because an engine may keep code that it made of it. */
  written(address: number, length: number): void;
}

/** A piece of guest memory. */
export interface GuestSegment {
  readonly address: number;
  readonly length: number;
}

/** Throws `GuestFault` unless the range is in a memory of that size. */
export function checkRange(sizeBytes: number, address: number, length: number): void {
  const isSound =
    Number.isSafeInteger(address) && Number.isSafeInteger(length) && address >= 0 && length >= 0;
  if (isSound && address <= sizeBytes && length <= sizeBytes - address) return;
  throw new GuestFault(`${length} bytes at 0x${address.toString(16)} are not in the guest's memory`);
}

/** The bytes of all segments. */
export function totalLength(segments: readonly GuestSegment[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}

/** The part of `segments` from byte `offset` on, `length` bytes long. */
export function sliceSegments(
  segments: readonly GuestSegment[],
  offset: number,
  length: number,
): GuestSegment[] {
  const slice: GuestSegment[] = [];
  let [skip, left] = [offset, length];
  for (const segment of segments) {
    if (left === 0) break;
    const skipped = Math.min(skip, segment.length);
    const taken = Math.min(left, segment.length - skipped);
    skip -= skipped;
    left -= taken;
    if (taken > 0) slice.push({ address: segment.address + skipped, length: taken });
  }
  if (left > 0) throw new GuestFault(`a request is ${left} bytes too short`);
  return slice;
}

/** Copies from guest memory; `segments` are as long as `into`. */
export function gather(memory: GuestMemory, segments: readonly GuestSegment[], into: Uint8Array): void {
  let at = 0;
  for (const { address, length } of segments) {
    into.set(memory.view(address, length), at);
    at += length;
  }
}

/** Copies to guest memory; `segments` are as long as `from`. */
export function scatter(memory: GuestMemory, segments: readonly GuestSegment[], from: Uint8Array): void {
  let at = 0;
  for (const { address, length } of segments) {
    memory.view(address, length).set(from.subarray(at, at + length));
    memory.written(address, length);
    at += length;
  }
}

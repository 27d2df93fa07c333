/**
 * Copying bytes into and out of shared memory at the speed of ordinary memory.
 *
 * `set` copies shared memory word by word with atomic accesses, at half the speed of ordinary
 * memory on Node 20, at a quarter on Node 24. A buffer that is filled with an array as long as
 * itself becomes a copy of it by one memcpy, shared or not, but such a call costs some 60 ns more
 * than `set`. On Node 20, 24 and 26 it pays from about 2 KiB on.
 */

/** From this size on, shared memory is copied by `fill`. */
const FILL_BYTES_MIN = 2048;

const { fill } = Buffer.prototype;

/**
 * Does what `target.set(source, at)` does, faster where one of them is in shared memory: in the
 * payload of a packet, in a dataspace. The copy is not atomic, no more than that of `set`: whoever
 * shares the memory may see it half done. If the two overlap, they have to be views on one and the
 * same buffer object. Throws RangeError if `source` does not fit.
 */
export function copyInto(target: Uint8Array, source: Uint8Array, at = 0): void {
  const end = at + source.length;
  if (source.length < FILL_BYTES_MIN || end > target.length || !filledFaster(target.buffer, source.buffer)) {
    target.set(source, at);
  } else {
    fill.call(target, source, at, end);
  }
}

/**
 * The same for a source and a target that do not overlap, as the caller knows: it need not be found
 * out, which costs some 50 ns. Throws RangeError if `source` does not fit.
 */
export function copyApart(target: Uint8Array, source: Uint8Array, at = 0): void {
  if (source.length < FILL_BYTES_MIN || at + source.length > target.length) target.set(source, at);
  else if (at === 0 && source.length === target.length) fill.call(target, source);
  else fill.call(target, source, at, at + source.length);
}

/** Within one buffer, where ranges may overlap, only `set` is right. */
function filledFaster(target: ArrayBufferLike, source: ArrayBufferLike): boolean {
  if (target === source) return false;
  return target instanceof SharedArrayBuffer || source instanceof SharedArrayBuffer;
}

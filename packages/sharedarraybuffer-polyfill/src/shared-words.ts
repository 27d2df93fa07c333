/**
 * Which words are shared between processes, and where they are. A word of an arena that has a
 * memory file behind it is woken by the kernel; for any other V8's own list is the right one.
 */
import { ArenaHeader } from './arena-header.ts';
import { SharedMemoryError } from './errors.ts';
import { kernelIfShared } from './support.ts';

const known = new WeakMap<ArrayBufferLike, ArenaHeader | 'no arena'>();

function headerOf(buffer: ArrayBufferLike): ArenaHeader | 'no arena' {
  let header = known.get(buffer);
  if (header === undefined) {
    const kernel = buffer instanceof SharedArrayBuffer ? kernelIfShared() : undefined;
    header =
      (kernel && buffer instanceof SharedArrayBuffer && ArenaHeader.find(buffer, kernel)) || 'no arena';
    known.set(buffer, header);
  }
  return header;
}

/** Whether a view lies in memory that other processes may share. */
export function isShared(view: ArrayBufferView): boolean {
  const header = headerOf(view.buffer);
  return header !== 'no arena' && header.isMapped(view.byteOffset);
}

/**
 * Address of a word that other processes may share; undefined if it is memory of this process only.
 */
export function sharedAddress(words: Int32Array, index: number): number | undefined {
  const header = headerOf(words.buffer);
  if (header === 'no arena') return undefined;
  checkIndex(words, index);
  const byteOffset = words.byteOffset + index * 4;
  return header.isMapped(byteOffset) ? header.address + byteOffset : undefined;
}

/** As `sharedAddress`; memory of this process only is an error. */
export function sharedAddressOrThrow(words: Int32Array, index: number): number {
  const address = sharedAddress(words, index);
  if (address !== undefined) return address;
  throw new SharedMemoryError('InvalidArgument', 'the word does not lie in memory shared between processes');
}

function checkIndex(words: Int32Array, index: number): void {
  if (Number.isInteger(index) && index >= 0 && index < words.length) return;
  throw new RangeError(`there is no word ${index} in an array of ${words.length}`);
}

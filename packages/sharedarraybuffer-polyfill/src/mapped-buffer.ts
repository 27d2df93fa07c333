/**
 * A memory file as a SharedArrayBuffer of its own, whole: for memory whose views are given away.
 * Unlike a part of an arena it is never unmapped under a view, nor under a read of the kernel's
 * into it: it goes when the last buffer object that shows it, in whichever thread, has been
 * collected, as every SharedArrayBuffer does. Each takes about 10 GiB of address space (of 128
 * TiB). V8 does not count shared memory: who maps many sees to it that garbage is collected.
 *
 * The file can be let go of before that: zero pages take its place in one step, under whatever
 * views there are.
 */
import { assert, SharedMemoryError } from './errors.ts';
import { kernelIfThere } from './kernel-access.ts';

/** The part of Node's API that is used here; Node's types lack it. */
declare const WebAssembly: {
  readonly Memory: new (descriptor: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => { readonly buffer: ArrayBufferLike };
};

/** Sizes of such buffers, and so of their files, are multiples of this. */
export const BUFFER_STEP_BYTES = 65_536;

export interface MapBufferOptions {
  /** Writes stay in this mapping: the file is only read, and may be sealed against writing. */
  readonly copyOnWrite?: boolean;
}

/**
 * Maps a memory file of `sizeBytes`, a multiple of `BUFFER_STEP_BYTES`. The descriptor is not kept.
 * The file must never become shorter: use `checkMemory` on one that came from elsewhere. Throws
 * `NotSupported`, `SystemCall`, or `LimitExceeded` where there is no address space.
 */
export function mapBuffer(fd: number, sizeBytes: number, options: MapBufferOptions = {}): SharedArrayBuffer {
  assert(sizeBytes > 0 && sizeBytes % BUFFER_STEP_BYTES === 0, 'a mapped buffer consists of whole steps');
  const kernel = kernelIfThere();
  if (!kernel) throw new SharedMemoryError('NotSupported', 'memory cannot be shared between processes');
  const buffer = reserve(sizeBytes / BUFFER_STEP_BYTES);
  const address = kernel.addressOf(new Uint8Array(buffer));
  if (options.copyOnWrite) kernel.mapFilePrivately(address, sizeBytes, fd);
  else kernel.mapFile(address, sizeBytes, fd, true);
  return buffer;
}

/**
 * Lets go of the file that a mapped buffer shows. Every view of it, in all threads of the process,
 * reads zeros from then on, and what is written there goes nowhere; nothing faults. The address
 * space stays until the buffer is collected. Only for what `mapBuffer` has made; who calls it holds
 * the buffer, so that nothing else can be at its place. Throws `SystemCall` if the kernel has no
 * memory for that; then all is as before.
 */
export function vacateBuffer(buffer: SharedArrayBuffer): void {
  const kernel = kernelIfThere();
  if (!kernel) throw new SharedMemoryError('NotSupported', 'memory cannot be shared between processes');
  assert(buffer.byteLength % BUFFER_STEP_BYTES === 0, 'a mapped buffer consists of whole steps');
  kernel.mapZeros(kernel.addressOf(new Uint8Array(buffer)), buffer.byteLength);
}

function reserve(steps: number): SharedArrayBuffer {
  try {
    const { buffer } = new WebAssembly.Memory({ initial: steps, maximum: steps, shared: true });
    assert(buffer instanceof SharedArrayBuffer, 'a shared memory has a shared buffer');
    return buffer;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SharedMemoryError('LimitExceeded', 'no address space for another buffer');
  }
}

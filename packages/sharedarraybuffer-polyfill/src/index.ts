/**
 * SharedArrayBuffer, and Atomics.wait, notify and waitAsync, across processes. The README is the
 * manual.
 */
export type { Arena, MapOptions, Region } from './arena.ts';
export { DescriptorSocket, type ReceivedDescriptor, TAG_BYTES_MAX } from './descriptor-socket.ts';
export { SharedMemoryError, type SharedMemoryErrorCode } from './errors.ts';
export { findKoffi, loadKoffi } from './find-koffi.ts';
export { futexWait, futexWaitAsync, futexWake, type WaitOutcome } from './futex.ts';
export {
  checkMemory,
  closeDescriptor,
  createArena,
  createMemory,
  createOpenMemory,
  createReadOnlyMemory,
  mapMemory,
  sealMemory,
} from './memory.ts';
export { BUFFER_STEP_BYTES, mapBuffer, vacateBuffer } from './mapped-buffer.ts';
export { FutexWord } from './futex-word.ts';
export { guardLoading, LOAD_GUARD_WORDS, loadsUnderWay } from './load-guard.ts';
export { type ExpectedMemory, MEMORY_BYTES_MAX, type SealOptions } from './memory-file.ts';
export { type AsyncWait, SharedAtomics } from './shared-atomics.ts';
export { type CreateOptions, type OpenOptions, SharedMemory } from './shared-memory.ts';
export { isShared } from './shared-words.ts';
export { type Support, support } from './support.ts';
export { ASYNC_WAITS_MAX, shareWaitHelper } from './wait-helper.ts';

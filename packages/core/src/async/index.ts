/**
 * Waiting: what one asynchronous step needs to wait for others, and no more. Nothing here knows of
 * time, components or memory.
 */
export { Condition } from './condition.ts';
export { type Deferred, deferred, quietDeferred } from './deferred.ts';
export { inPieces, type Pieces } from './in-pieces.ts';
export { Listeners } from './listeners.ts';
export { Mutex } from './mutex.ts';
export { ReaderWriterLock } from './reader-writer-lock.ts';
export { Rounds } from './rounds.ts';
export { Semaphore } from './semaphore.ts';
export { inLanes, settleAll } from './settle-all.ts';
export type { WaitBound } from './wait-queue.ts';

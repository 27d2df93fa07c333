import type { WaitBound } from '@ginit/core/async';
import { FsError } from '../errors.ts';

/**
 * The largest number of waiters on one lock. More mean that a client does not bound its requests,
 * and the next one is refused.
 */
export const WAITERS_MAX = 16_384;

/** The bound of every lock and condition of a file system. */
export const WAITERS: WaitBound = {
  waitersMax: WAITERS_MAX,
  refusal: () => new FsError('Busy', `more than ${WAITERS_MAX} requests wait for one lock`),
};

import type { WaitBound } from '@ginit/core/async';
import { FsError } from '../errors.ts';

/** More waiters than this on one lock mean a client that does not bound its requests: the next one is refused. */
export const WAITERS_MAX = 16_384;

/** The bound of every lock and condition of a file system. */
export const WAITERS: WaitBound = {
  waitersMax: WAITERS_MAX,
  refusal: () => new FsError('Busy', `more than ${WAITERS_MAX} requests wait for one lock`),
};

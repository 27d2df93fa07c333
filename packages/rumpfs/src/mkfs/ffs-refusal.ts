import { FsError } from '../errors.ts';

/** The error for wishes that cannot be. */
export function refusal(why: string): FsError {
  return new FsError('InvalidArgument', `ffs: ${why}`);
}

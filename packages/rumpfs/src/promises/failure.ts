/** Why an operation on an open file system failed: what that says, and a few words more. */
import { FsError, type FsErrorCode } from '../errors.ts';

/** The codes of a file system, and those of whoever keeps its files open. */
export type FailureCode = FsErrorCode | 'BadHandle' | 'TooManyOpen' | 'Unmounted';

/** A failure that is no `FsError`. */
export class Failure extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string) {
    super(message);
    this.name = 'Failure';
    this.code = code;
  }
}

/** The code of something that was thrown; undefined if it is none of these failures. */
export function failureCode(error: unknown): FailureCode | undefined {
  return error instanceof FsError || error instanceof Failure ? error.code : undefined;
}

/** Errors of this package: one class, a closed set of codes, and a message for people. */
import { getSystemErrorName } from 'node:util';

export type SharedMemoryErrorCode =
  /** Memory cannot be shared between processes here; the message says why. */
  | 'NotSupported'
  /** An argument is out of range, or memory that is not shared between processes was given. */
  | 'InvalidArgument'
  /** The descriptor received is no memory file. */
  | 'NotMemory'
  /** The memory file received could still be cut short under us. */
  | 'NotSealed'
  /** The memory file received has another size than agreed. */
  | 'WrongSize'
  /** The memory file received cannot be written, as was asked for. */
  | 'ReadOnly'
  /** A message came without a descriptor. */
  | 'NoDescriptor'
  /** A message came with more than one descriptor. */
  | 'TooManyDescriptors'
  /**
   * A message came that is longer than a tag may be, or carries something else than a descriptor.
   */
  | 'Malformed'
  /** The other end of the socket is closed. */
  | 'PeerGone'
  /** A bound of this package was reached. */
  | 'LimitExceeded'
  /** It has been closed or unmapped already. */
  | 'Closed'
  /** The kernel refused; the message names the call and the error. */
  | 'SystemCall';

/** An error of this package. */
export class SharedMemoryError extends Error {
  readonly code: SharedMemoryErrorCode;

  constructor(code: SharedMemoryErrorCode, message: string) {
    super(message);
    this.name = 'SharedMemoryError';
    this.code = code;
  }
}

/** Ends the operation when an invariant of our own code is broken. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${invariant}`);
}

/** A count of bytes, items or the like as a caller gave it. */
export function checkInteger(name: string, value: number, minimum: number, maximum: number): void {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
  throw new SharedMemoryError(
    'InvalidArgument',
    `${name} must be a whole number from ${minimum} to ${maximum}, not ${value}`,
  );
}

/** The error for a call that returned `-errno`. */
export function callFailure(call: string, result: number): SharedMemoryError {
  return new SharedMemoryError('SystemCall', `${call} failed: ${getSystemErrorName(result)}`);
}

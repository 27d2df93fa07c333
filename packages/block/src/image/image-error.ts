import { RpcError } from '@ginit/core';

/** Why an image, or an operation on it, was refused. */
export type ImageErrorCode =
  /** The image contradicts itself, or what its format allows. */
  | 'Malformed'
  /** The image uses a feature that is not implemented here. */
  | 'Unsupported'
  /** The arguments are impossible, for example a size that the format cannot have. */
  | 'Invalid'
  | 'ReadOnly'
  | 'NoSpace'
  | 'InputOutput';

/** An error of an image. Errors about its bytes say at which byte. */
export class ImageError extends RpcError<ImageErrorCode> {
  /** The byte of the image file that the error is about. */
  readonly position: number | undefined;

  constructor(code: ImageErrorCode, message: string, position?: number) {
    super(code, position === undefined ? message : `byte ${position}: ${message}`);
    this.position = position;
  }
}

/** The error for an image that cannot be as it is. */
export function malformed(message: string, position?: number): ImageError {
  return new ImageError('Malformed', message, position);
}

/** The error for an image that uses what is not implemented. */
export function unsupported(message: string, position?: number): ImageError {
  return new ImageError('Unsupported', message, position);
}

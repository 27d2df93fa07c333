import { RpcError } from '@ginit/core';

/** How an exchange with a server failed. */
export type HttpFailure =
  /** The connection has ended. */
  | 'Ended'
  /** The server may work again in a moment. */
  | 'Passing'
  /** The server has nothing there any more, or something else. */
  | 'Gone'
  /** The server does what a server of ranges does not. */
  | 'Unsuitable';

/** An exchange that failed. */
export class HttpError extends RpcError<HttpFailure> {}

export const ended = (text: string): HttpError => new HttpError('Ended', text);
export const passing = (text: string): HttpError => new HttpError('Passing', text);
export const unsuitable = (text: string): HttpError => new HttpError('Unsuitable', text);

import { RpcError } from '@ginit/core';
import type { NbdFailure } from './protocol.ts';

/** An error of a connection, which is of no more use. */
export class NbdConnectionError extends RpcError<NbdFailure> {}

/** The other end does not keep to the protocol. */
export function protocolError(text: string): NbdConnectionError {
  return new NbdConnectionError('Protocol', text);
}

/** The other end has closed the connection where it must not. */
export function endedError(text: string): NbdConnectionError {
  return new NbdConnectionError('Ended', text);
}

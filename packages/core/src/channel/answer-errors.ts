/**
 * The errors that a caller gets if its call was answered with an error, or with something
 * malformed.
 */
import { PeerGone, RpcError } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import { ShapeError } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';

/**
 * The error for an answer that is an error. The caller adds the operation's name, which the peer
 * may not know.
 */
export function answeredError(code: string, text: string, operation: OperationPlan): Error {
  if (code === 'PeerGone') return new PeerGone(text.slice(0, LIMITS.reasonBytes));
  const known = code === 'UnknownOperation' ? `${operation.title}: ${text}` : text;
  return new RpcError(code, known.slice(0, LIMITS.reasonBytes));
}

/** The error for an answer that the shapes of the operation do not let through. */
export function malformedAnswer(error: unknown): Error {
  if (error instanceof ShapeError) {
    // The message may quote a name in a table, and a peer can make that as long as it likes.
    const text = `the server's answer is malformed: ${error.message}`.slice(0, LIMITS.reasonBytes);
    return new RpcError('InternalError', text);
  }
  return error instanceof Error ? error : new Error(String(error));
}

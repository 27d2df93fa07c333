/** What a caller is told if its call was answered with an error, or with what is no answer. */
import { PeerGone, RpcError } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import { ShapeError } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';

/** What a peer has answered instead of a result. Only the caller knows what an operation is called. */
export function answeredError(code: string, text: string, operation: OperationPlan): Error {
  if (code === 'PeerGone') return new PeerGone(text.slice(0, LIMITS.reasonBytes));
  const known = code === 'UnknownOperation' ? `${operation.title}: ${text}` : text;
  return new RpcError(code, known.slice(0, LIMITS.reasonBytes));
}

/** An answer that the shapes of the operation do not let through. */
export function malformedAnswer(error: unknown): Error {
  if (error instanceof ShapeError) {
    // A name in a table is as long as the peer likes.
    const text = `the server's answer is malformed: ${error.message}`.slice(0, LIMITS.reasonBytes);
    return new RpcError('InternalError', text);
  }
  return error instanceof Error ? error : new Error(String(error));
}

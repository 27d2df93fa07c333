/** Sessions with memory of their own: the client pays for it with its donation. */
import type { Cost } from '../costs.ts';
import { RpcError, SessionError } from '../errors.ts';
import type { Dataspace } from '../memory/dataspace.ts';
import type { SessionArguments } from './parent.ts';

/** The part of a session request that is needed to serve a session with memory. */
export interface MemorySessionContext extends Cost {
  readonly args: SessionArguments;
}

/** The part of `env` that makes dataspaces. */
export interface SessionMemory {
  readonly ram: {
    allocate(sizeBytes: number): Promise<Dataspace>;
    free(dataspace: Dataspace): Promise<void>;
  };
}

/**
 * Throws a `SessionError` that makes the client ask again with more, if `donation` is less than
 * what a session costs.
 */
export function refuseTooLittle(donation: Cost, { ram, caps }: Cost): void {
  if (donation.ram < ram) throw new SessionError('INSUFFICIENT_RAM', `needs ${ram} bytes of RAM quota`);
  if (donation.caps < caps) throw new SessionError('INSUFFICIENT_CAPS', `needs ${caps} capabilities`);
}

/** The result of `read`, which reads arguments of a session; impossible ones are `DENIED`. */
export function readOrDeny<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof RpcError) throw new SessionError('DENIED', error.message);
    throw error;
  }
}

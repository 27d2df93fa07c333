/**
 * The ways in which a call may fail. An error that crosses a border between components is one of
 * the codes that the interface declares, or one of the runtime's own (`RuntimeErrorCode`); its
 * message is meant for people and never carries a stack trace or a path of the host.
 */

/** Codes that any call may end with, whatever its interface declares. */
export type RuntimeErrorCode =
  /** The component that was called, or that would have answered, is gone. */
  | 'PeerGone'
  /** The capability was revoked by its owner. */
  | 'Revoked'
  /** The arguments did not have the declared shape. */
  | 'InvalidArgument'
  /** The object has no operation of that name. */
  | 'UnknownOperation'
  /** The callee failed in a way that its interface does not declare. */
  | 'InternalError'
  /** A bound of `limits.ts` was reached. */
  | 'LimitExceeded'
  /**
   * The value cannot be passed to this peer (for instance a writeable dataspace to another
   * machine).
   */
  | 'NotShareable'
  /** The component that passes the capability has no capability quota left for its object. */
  | 'OUT_OF_CAPS'
  /** A synchronous call was not answered by its deadline. It may still be carried out. */
  | 'TimedOut'
  /** A synchronous call waits for a component that waits, in synchronous calls, for the caller. */
  | 'WouldDeadlock';

/**
 * Why a session was not created or upgraded (Genode's Parent interface): `DENIED` by a route, a
 * policy or a server; `OUT_OF_RAM` or `OUT_OF_CAPS` because the client cannot pay what it donates;
 * `INSUFFICIENT_RAM` or `INSUFFICIENT_CAPS` because the donation is too small.
 */
export const SESSION_ERRORS = [
  'DENIED',
  'OUT_OF_RAM',
  'OUT_OF_CAPS',
  'INSUFFICIENT_RAM',
  'INSUFFICIENT_CAPS',
] as const;
/** One of `SESSION_ERRORS`. */
export type SessionErrorCode = (typeof SESSION_ERRORS)[number];

const RUNTIME_ERRORS: readonly string[] = [
  'PeerGone',
  'Revoked',
  'InvalidArgument',
  'UnknownOperation',
  'InternalError',
  'LimitExceeded',
  'NotShareable',
  'OUT_OF_CAPS',
  'TimedOut',
  'WouldDeadlock',
] satisfies RuntimeErrorCode[];

/** Whether `code` is one of the runtime's own codes. */
export function isRuntimeErrorCode(code: string): code is RuntimeErrorCode {
  return RUNTIME_ERRORS.includes(code);
}

/** An error with a declared code: what a server throws and what its client's call rejects with. */
export class RpcError<Code extends string = string> extends Error {
  readonly code: Code;

  constructor(code: Code, message?: string) {
    super(message ?? code);
    this.name = 'RpcError';
    this.code = code;
  }
}

/**
 * What the caller knows of a call whose peer is gone: that it was not carried out, because it was
 * never handed over, or nothing.
 */
export type Executed = 'no' | 'maybe';

/** The peer ended, crashed or was removed while a call was pending, or before it was made. */
export class PeerGone extends RpcError<'PeerGone'> {
  /**
   * Whether the call was carried out: `no` if it was provably never handed over, so that it may be
   * repeated elsewhere, and else `maybe`.
   */
  readonly executed: Executed;

  constructor(message = 'the peer is gone', executed: Executed = 'maybe') {
    super('PeerGone', message);
    this.name = 'PeerGone';
    this.executed = executed;
  }
}

/** A session request that was refused. `code` says why, by one of `SESSION_ERRORS`. */
export class SessionError extends RpcError<SessionErrorCode> {
  /**
   * The part of the donation that has not come back, because somebody on the way has kept it: bytes
   * of RAM, and capabilities.
   */
  readonly kept: { readonly ram: number; readonly caps: number };

  constructor(code: SessionErrorCode, message?: string, kept = { ram: 0, caps: 0 }) {
    super(code, message);
    this.name = 'SessionError';
    this.kept = kept;
  }
}

/** Whether `error` is an `RpcError` with the given code. */
export function hasCode<Code extends string>(error: unknown, code: Code): error is RpcError<Code> {
  return error instanceof RpcError && error.code === code;
}

/**
 * The session error with the given code, which came from outside. Any unknown code counts as
 * `DENIED`.
 */
export function toSessionErrorCode(code: string): SessionErrorCode {
  return SESSION_ERRORS.find((known) => known === code) ?? 'DENIED';
}

/**
 * Ends the component when an invariant of our own code is broken: going on would only hide the
 * fault.
 */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${invariant}`);
}

/** Makes the compiler prove that a switch over a closed union names every case. */
export function unreachable(value: never): never {
  throw new Error(`assertion failed: unexpected case ${String(value)}`);
}

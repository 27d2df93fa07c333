/**
 * Parent and Root: how a component asks for sessions, and how it is asked for them (reference:
 * Genode's Parent and Root interfaces). Requests are answered asynchronously, so nobody blocks on
 * somebody who may be waiting for him.
 */
import { capability, signal } from '../capability/capability.ts';
import type { SignalCapability } from '../capability/signal.ts';
import { RpcError, SESSION_ERRORS, SessionError } from '../errors.ts';
import { rpc, rpcInterface, type Capability, type SessionArgument } from '../interface/interface.ts';
import {
  anyOf,
  boolean,
  finite,
  integer,
  list,
  nothing,
  oneOf,
  optional,
  record,
  type Shape,
  type ShapeType,
  table,
  text,
  u32,
  u53,
} from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';
import { type Resources, resources } from './pd.ts';

/** A session of any interface, for components that route it and do not use it. */
export const SomeSession = rpcInterface('Session', {});
/** A capability of a session whose interface its holder does not know. */
export type SessionCapability = Capability<typeof SomeSession>;

const sessionArgument: Shape<SessionArgument> = anyOf<SessionArgument>(
  'a string, a number or a boolean',
  text(LIMITS.sessionArgumentBytes),
  finite,
  boolean,
);

/** Service-specific arguments of a session request. */
export const sessionArguments = table(sessionArgument, LIMITS.sessionArguments);
/** Arguments of a session request by name, such as `tx_buf_size` or `writeable`. */
export type SessionArguments = Record<string, SessionArgument>;

/**
 * The session argument of this name as a number of bytes, `fallback` if it is not there. Throws
 * `InvalidArgument` if it is not from 1 to `most`.
 */
export function bytesArgument(
  args: Readonly<SessionArguments>,
  name: string,
  fallback: number,
  most: number,
): number {
  const { [name]: value = fallback } = args;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= most) return value;
  throw new RpcError('InvalidArgument', `${name} is a number of bytes from 1 to ${most}`);
}

/** A session request of a child. */
export interface SessionRequest {
  /** Chosen by the client, to name the session in `upgrade` and `close`. */
  id: number;
  service: string;
  /**
   * The client's own label for the session; each parent on the way puts the child's name in front.
   */
  label: string;
  args: SessionArguments;
  /** Bytes of RAM quota donated for the session. */
  ram: number;
  /** Capability quota donated. */
  caps: number;
  /** Whether the client can put another session in the place of this one when its server goes. */
  reattach?: boolean | undefined;
}

const sessionRequest = record({
  id: u32,
  service: text(LIMITS.nameBytes),
  label: text(160),
  args: sessionArguments,
  ram: u53,
  caps: u53,
  reattach: optional(boolean),
});

/** A session request as a server sees it. The parent has chosen `id`. */
export const rootRequest = record({
  id: u32,
  label: text(160),
  args: sessionArguments,
  ram: u53,
  caps: u53,
});
/**
 * A session request at a server: `id` names the session in `upgrade` and `close`; `ram` (bytes) and
 * `caps` were donated.
 */
export type RootRequest = {
  id: number;
  label: string;
  args: SessionArguments;
  ram: number;
  caps: number;
};

/** A shape for the capability of a session of any interface. */
export const someSession: Shape<SessionCapability> = capability(SomeSession);

/** The root object of a service: creates and closes sessions. */
export const Root = rpcInterface(
  'Root',
  {
    session: rpc<(request: RootRequest) => SessionCapability>({ args: [rootRequest], result: someSession }),
    upgrade: rpc<(id: number, ram: number, caps: number) => void>({ args: [u32, u53, u53], result: nothing }),
    /** Settles when the session is gone and what it was given is free again. */
    close: rpc<(id: number) => void>({ args: [u32], result: nothing }),
  },
  { errors: SESSION_ERRORS },
);

/** Why a request was refused, and the part of its donation that has not come back. */
const refusal = record({ code: oneOf(SESSION_ERRORS), message: text(LIMITS.reasonBytes), kept: resources });
/**
 * A refusal as it travels: its code, a text for people, and the part of the donation that was kept.
 */
export type Refusal = ShapeType<typeof refusal>;

const sessionAnswer = record({
  session: optional(someSession),
  refused: optional(refusal),
  watched: optional(boolean),
});
/**
 * The answer to a session request: the session, or why it was refused. `watched` says whether the
 * parent tells the client, by `sessionNotices`, when the server of such a session goes.
 */
export type SessionAnswer = ShapeType<typeof sessionAnswer>;

/** A refusal as it travels. An error that is no refusal is thrown again. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof RpcError)) throw error;
  const code = SESSION_ERRORS.find((known) => known === error.code);
  if (code === undefined) throw error;
  const kept = error instanceof SessionError ? error.kept : { ram: 0, caps: 0 };
  return { code, message: error.message.slice(0, LIMITS.reasonBytes), kept };
}

/** The error that a component sees for a refusal. */
export function refusalError({ code, message, kept }: Refusal): SessionError {
  return new SessionError(code, message, kept);
}

const sessionNotice = record({ id: u32, ended: boolean });
/**
 * The server of a session of the client has gone, and the session has `ended`. Or another server is
 * about to take the place of the one that still serves it: the client may open a session there
 * before it closes this one.
 */
export type SessionNotice = ShapeType<typeof sessionNotice>;

/** The largest exit code. Exit codes go from 0, for success, to what a process can end with. */
export const EXIT_CODE_MAX = 255;

/** The calls that every component can make to its parent. */
export const Parent = rpcInterface(
  'Parent',
  {
    session: rpc<(request: SessionRequest) => SessionAnswer>({
      args: [sessionRequest],
      result: sessionAnswer,
    }),
    /** The result is `undefined` on success, else why the parent or the server refused. */
    upgrade: rpc<(id: number, ram: number, caps: number) => Refusal | undefined>({
      args: [u32, u53, u53],
      result: optional(refusal),
    }),
    /**
     * Settles when the session is closed at its server and its donation is back. The result is the
     * part that has not come back. A request that is not answered yet is given up by this: it is
     * refused, and a session that comes later is closed.
     */
    close: rpc<(id: number) => Resources>({ args: [u32], result: resources }),
    /**
     * Sets the handler that is woken when there are new notices of sessions, and when session
     * requests with `reattach` that were refused may be granted now.
     */
    sessionHandler: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
    /**
     * The watched sessions that have lost their servers or are about to. A session is listed until
     * the client closes it.
     */
    sessionNotices: rpc<() => SessionNotice[]>({
      args: [],
      result: list(sessionNotice, LIMITS.sessionNotices),
    }),
    announce: rpc<(service: string, root: Capability<typeof Root>) => void>({
      args: [text(LIMITS.nameBytes), capability(Root)],
      result: nothing,
    }),
    /** Tells the parent that the component is done. The parent decides what becomes of it. */
    exit: rpc<(code: number) => void>({ args: [integer(0, EXIT_CODE_MAX)], result: nothing }),
    /**
     * Says how much more quota the component would need, in all. The parent keeps the newest such
     * amount; nothing at all withdraws it. Settles with true when the parent has given the
     * component more, whatever the amount, and with false when a later call has replaced this one.
     */
    requestResources: rpc<(amount: Resources) => boolean>({ args: [resources], result: boolean }),
    /** Sets the handler that is woken when the parent wants quota back. */
    yieldHandler: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
    /** The quota that the parent wants back; nothing if it wants none. */
    yieldRequest: rpc<() => Resources>({ args: [], result: resources }),
    /** The component has freed what it could spare of the amounts that it was told last. */
    yieldResponse: rpc<() => void>({ args: [], result: nothing }),
  },
  { errors: SESSION_ERRORS },
);

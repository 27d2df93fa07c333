/**
 * Parent and Root: how a component asks for sessions, and how it is asked for them (reference: Genode's Parent and
 * Root interfaces). Nobody ever waits for somebody who may wait for him: requests are answered asynchronously.
 */
import { capability } from '../capability/capability.ts';
import { RpcError, SESSION_ERRORS, SessionError } from '../errors.ts';
import { rpc, rpcInterface, type Capability, type SessionArgument } from '../interface/interface.ts';
import {
  anyOf,
  boolean,
  finite,
  integer,
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

/** A capability of a session, of whatever interface: routed, not used, by who sees it so. */
export const SomeSession = rpcInterface('Session', {});
export type SessionCapability = Capability<typeof SomeSession>;

const sessionArgument: Shape<SessionArgument> = anyOf<SessionArgument>(
  'a string, a number or a boolean',
  text(LIMITS.sessionArgumentBytes),
  finite,
  boolean,
);

/** Service-specific arguments of a session request. */
export const sessionArguments = table(sessionArgument, LIMITS.sessionArguments);
export type SessionArguments = Record<string, SessionArgument>;

/** A session request of a child. */
export interface SessionRequest {
  /** Chosen by the client, to name the session in `upgrade` and `close`. */
  id: number;
  service: string;
  /** The client's own label for the session; each parent on the way puts the child's name in front. */
  label: string;
  args: SessionArguments;
  /** Bytes of RAM quota donated for the session. */
  ram: number;
  /** Capability quota donated. */
  caps: number;
}

const sessionRequest = record({
  id: u32,
  service: text(LIMITS.nameBytes),
  label: text(160),
  args: sessionArguments,
  ram: u53,
  caps: u53,
});

/** A session request as a server sees it; `id` is the parent's. */
export const rootRequest = record({
  id: u32,
  label: text(160),
  args: sessionArguments,
  ram: u53,
  caps: u53,
});
export type RootRequest = {
  id: number;
  label: string;
  args: SessionArguments;
  ram: number;
  caps: number;
};

/** Lets a capability of any interface through. */
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

/** Why a request was refused, and what has not come back of the donation that went with it. */
const refusal = record({ code: oneOf(SESSION_ERRORS), message: text(LIMITS.reasonBytes), kept: resources });
export type Refusal = ShapeType<typeof refusal>;

/** Either of the two is there. */
const sessionAnswer = record({ session: optional(someSession), refused: optional(refusal) });
export type SessionAnswer = ShapeType<typeof sessionAnswer>;

/** A refusal as a value, as it travels; any error that is none is thrown again. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof RpcError)) throw error;
  const code = SESSION_ERRORS.find((known) => known === error.code);
  if (code === undefined) throw error;
  const kept = error instanceof SessionError ? error.kept : { ram: 0, caps: 0 };
  return { code, message: error.message.slice(0, LIMITS.reasonBytes), kept };
}

/** A refusal as an error, as components see it. */
export function refusalError({ code, message, kept }: Refusal): SessionError {
  return new SessionError(code, message, kept);
}

/** Exit codes go from 0, for success, to this: what a process can end with. */
export const EXIT_CODE_MAX = 255;

/** What every component can ask of its parent. */
export const Parent = rpcInterface(
  'Parent',
  {
    session: rpc<(request: SessionRequest) => SessionAnswer>({
      args: [sessionRequest],
      result: sessionAnswer,
    }),
    /** The result is why it was refused, if it was. */
    upgrade: rpc<(id: number, ram: number, caps: number) => Refusal | undefined>({
      args: [u32, u53, u53],
      result: optional(refusal),
    }),
    /**
     * Settles when the session is closed at its server and its donation is back; the result is what has not come back. A
     * request that has not been answered is given up: it is refused, and a session that comes later is closed.
     */
    close: rpc<(id: number) => Resources>({ args: [u32], result: resources }),
    announce: rpc<(service: string, root: Capability<typeof Root>) => void>({
      args: [text(LIMITS.nameBytes), capability(Root)],
      result: nothing,
    }),
    /** A hint: the parent decides what becomes of the component. */
    exit: rpc<(code: number) => void>({ args: [integer(0, EXIT_CODE_MAX)], result: nothing }),
  },
  { errors: SESSION_ERRORS },
);

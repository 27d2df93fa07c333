/**
 * Interfaces: the operations of an object that other components can call. An interface is declared
 * once, and typed on both sides.
 *
 *     export const Greeter = session('Greeter', {
 *       greet: rpc<(name: string) => string>({ args: [text(64)], result: text() }),
 *     });
 *
 * The function type gives both sides their types; the shapes check at run time what the peer really
 * sent. Without shapes an operation takes any plain data (bounded by the message size), and its
 * server must look before it trusts. Capabilities, signals and dataspaces travel only through
 * shapes (`capability`, `signal`, `dataspace`).
 */
import { type Cost, COSTS } from '../costs.ts';
import { assert } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { StreamDeclaration, StreamRole } from './stream.ts';
import type { PacketSink, PacketSource } from '../packet-stream/index.ts';
import type { Shape } from './shapes.ts';

/** Any function, for constraints only. */
export type AnyFunction = (...args: never[]) => unknown;

type ShapesOf<Parameters extends readonly unknown[]> = {
  readonly [Index in keyof Parameters]: Shape<Parameters[Index]>;
};

/** One operation of an interface: the function's type, and the shapes that check it. */
export interface Operation<F extends AnyFunction> {
  readonly kind: 'rpc';
  readonly args: readonly Shape<unknown>[] | undefined;
  readonly result: Shape<unknown> | undefined;
  /** Exists only for the compiler: it keeps `F` in the type. */
  readonly signature?: F;
}

/**
 * Declares an operation of the type `F`, with the shapes of its arguments and its result. Without
 * shapes it takes any plain data.
 */
export function rpc<F extends AnyFunction>(shapes?: {
  readonly args: ShapesOf<Required<Parameters<F>>>;
  readonly result: Shape<Awaited<ReturnType<F>>>;
}): Operation<F> {
  return { kind: 'rpc', args: shapes?.args, result: shapes?.result };
}

/** The members of an interface by name. */
export type Members = Readonly<Record<string, Operation<AnyFunction> | StreamDeclaration<StreamRole>>>;

/**
 * An interface of objects: its name for messages, its members, and the error codes that its
 * operations may end with.
 */
export interface Interface<M extends Members = Members> {
  readonly name: string;
  readonly members: M;
  readonly errors: readonly string[];
}

/** A plain value in a session request: `tx_buf_size`, `writeable` and the like. */
export type SessionArgument = string | number | boolean;

/** An interface that is a service: sessions of it are routed by name. */
export interface SessionInterface<M extends Members = Members> extends Interface<M> {
  readonly service: string;
  /** The quota that a client donates for the object of a session. Packet streams come on top. */
  readonly cost: Cost;
  /** The RAM in bytes that a session with these arguments costs beyond that. */
  readonly argumentsRam: ArgumentsRam | undefined;
}

/**
 * Bytes of RAM that a session costs because of its arguments, for a buffer whose size the client
 * chooses, for instance. Throws `InvalidArgument` for arguments that cannot be.
 */
export type ArgumentsRam = (args: Readonly<Record<string, SessionArgument>>) => number;

/** Options of `rpcInterface` and `session`. */
export interface InterfaceOptions {
  /** The closed set of codes that the operations may fail with. */
  readonly errors?: readonly string[];
}

/** Declares an interface of objects that are handed out as capabilities. */
export function rpcInterface<const M extends Members>(
  name: string,
  members: M,
  options: InterfaceOptions = {},
): Interface<M> {
  checkName(name);
  for (const member of Object.keys(members)) {
    checkName(member);
    assert(member !== 'then' && !member.startsWith('$'), `${name}.${member} is a reserved name`);
  }
  return { name, members, errors: options.errors ?? [] };
}

/** Options of `session`. */
export interface SessionOptions extends InterfaceOptions {
  /** The cost of a session's object, if it is not the usual one; see `costs.ts`. */
  readonly cost?: Cost;
  /** The RAM that a session costs beyond `cost` because of its arguments. */
  readonly argumentsRam?: ArgumentsRam;
}

/** Declares a session interface: a service of the given name whose sessions have these members. */
export function session<const M extends Members>(
  service: string,
  members: M,
  options: SessionOptions = {},
): SessionInterface<M> {
  const { cost = COSTS.session, argumentsRam } = options;
  return { ...rpcInterface(service, members, options), service, cost, argumentsRam };
}

function checkName(name: string): void {
  assert(name.length > 0 && name.length <= LIMITS.nameBytes, `name "${name}" has 1 to 64 characters`);
}

/** A function as its caller sees it: the answer always comes later. */
export type Remote<F extends AnyFunction> = (...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>;

/** A function as its server writes it: it may answer at once or later. */
type Local<F extends AnyFunction> = (
  ...args: Parameters<F>
) => Awaited<ReturnType<F>> | Promise<Awaited<ReturnType<F>>>;

type OperationNames<M extends Members> = {
  [Name in keyof M]: M[Name] extends { kind: 'rpc' } ? Name : never;
}[keyof M];

type StreamNames<M extends Members> = {
  [Name in keyof M]: M[Name] extends { kind: 'stream' } ? Name : never;
}[keyof M];

type OperationsOf<I extends Interface> = {
  readonly [Name in OperationNames<I['members']>]: I['members'][Name] extends Operation<infer F>
    ? Remote<F>
    : never;
};

/**
 * The ends of a session's packet streams that its client holds: the source of a `tx`, the sink of
 * an `rx`.
 */
export type ClientStreams<I extends Interface> = {
  readonly [Name in StreamNames<I['members']>]: I['members'][Name] extends StreamDeclaration<'rx'>
    ? PacketSink
    : PacketSource;
};

/**
 * The ends of the session's packet streams that its server holds: promises, which resolve when the
 * client has opened the stream and reject if it never does.
 */
export type ServerStreams<I extends Interface> = {
  readonly [Name in StreamNames<I['members']>]: Promise<
    I['members'][Name] extends StreamDeclaration<'rx'> ? PacketSource : PacketSink
  >;
};

/**
 * A reference to an object in whichever component: its operations as asynchronous functions. A call
 * rejects with `PeerGone` if the owner is gone, and with `Revoked` if the object is. Disposing the
 * capability releases this component's hold on the object; the object lives as long as its owner
 * wants.
 */
export type Capability<I extends Interface> = OperationsOf<I> & Disposable;

/**
 * An open session: the operations of its interface, and the client's ends of its packet streams.
 */
export type Session<I extends SessionInterface> = OperationsOf<I> & ClientStreams<I> & Disposable;

/**
 * The object behind an interface: a method for each operation. It may have `[Symbol.asyncDispose]`
 * or `[Symbol.dispose]`, which is called at its end.
 */
export type Implementation<I extends Interface> = {
  readonly [Name in OperationNames<I['members']>]: I['members'][Name] extends Operation<infer F>
    ? Local<F>
    : never;
} & Partial<AsyncDisposable> &
  Partial<Disposable>;

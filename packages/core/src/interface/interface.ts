/**
 * Interfaces: what can be asked of an object of another component, declared once and typed on both sides.
 *
 *     export const Greeter = session('Greeter', {
 *       greet: rpc<(name: string) => string>({ args: [text(64)], result: text() }),
 *     });
 *
 * The function type gives both sides their types; the shapes check at run time what the peer really sent. Without
 * shapes an operation takes any plain data (bounded by the message size), and its server must look before it
 * trusts. Capabilities, signals and dataspaces travel only through shapes (`capability`, `signal`, `dataspace`).
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
  /** Exists for the compiler only: keeps `F` in the type. */
  readonly signature?: F;
}

/** Declares an operation with the type `F`, and the shapes of its arguments and its result. */
export function rpc<F extends AnyFunction>(shapes?: {
  readonly args: ShapesOf<Required<Parameters<F>>>;
  readonly result: Shape<Awaited<ReturnType<F>>>;
}): Operation<F> {
  return { kind: 'rpc', args: shapes?.args, result: shapes?.result };
}

/** The members of an interface by name. */
export type Members = Readonly<Record<string, Operation<AnyFunction> | StreamDeclaration<StreamRole>>>;

/** An interface of RPC objects: its name for messages, its members, the error codes its operations may end with. */
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
  /** What a client donates for the object of a session; packet streams come on top. */
  readonly cost: Cost;
}

/** What `interface_` and `session` take besides the members. */
export interface InterfaceOptions {
  /** The closed set of codes that the operations may fail with. */
  readonly errors?: readonly string[];
}

/** Declares the interface of an RPC object that is handed out as a capability. */
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

/** What `session` takes besides. */
export interface SessionOptions extends InterfaceOptions {
  /** What the object of a session costs, if it is not the usual; see `costs.ts`. */
  readonly cost?: Cost;
}

/** Declares a session interface: a service of the given name whose sessions have these members. */
export function session<const M extends Members>(
  service: string,
  members: M,
  options: SessionOptions = {},
): SessionInterface<M> {
  return { ...rpcInterface(service, members, options), service, cost: options.cost ?? COSTS.session };
}

function checkName(name: string): void {
  assert(name.length > 0 && name.length <= LIMITS.nameBytes, `name "${name}" has 1 to 64 characters`);
}

/** The caller's view of a function: it always answers later. */
export type Remote<F extends AnyFunction> = (...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>;

/** The server's view of a function: it may answer now or later. */
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

/** The ends of a session's packet streams that its client holds: the source of a `tx`, the sink of an `rx`. */
export type ClientStreams<I extends Interface> = {
  readonly [Name in StreamNames<I['members']>]: I['members'][Name] extends StreamDeclaration<'rx'>
    ? PacketSink
    : PacketSource;
};

/** The ends that its server holds, once the client has opened them. They reject if it never does. */
export type ServerStreams<I extends Interface> = {
  readonly [Name in StreamNames<I['members']>]: Promise<
    I['members'][Name] extends StreamDeclaration<'rx'> ? PacketSource : PacketSink
  >;
};

/**
 * A reference to an object, wherever it lives: its operations as asynchronous functions. Disposing it releases
 * this component's hold on it; the object itself lives as long as its owner wants.
 */
export type Capability<I extends Interface> = OperationsOf<I> & Disposable;

/** An open session: the operations of its interface, and the client's ends of its packet streams. */
export type Session<I extends SessionInterface> = OperationsOf<I> & ClientStreams<I> & Disposable;

/** The object behind an interface. It may have `[Symbol.asyncDispose]` or `[Symbol.dispose]`, called at its end. */
export type Implementation<I extends Interface> = {
  readonly [Name in OperationNames<I['members']>]: I['members'][Name] extends Operation<infer F>
    ? Local<F>
    : never;
} & Partial<AsyncDisposable> &
  Partial<Disposable>;

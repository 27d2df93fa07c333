/** `Env`: a component's whole view of the world. */
import type { SignalCapability } from '../capability/signal.ts';
import type { Config } from './config.ts';
import type { Obligation } from './assertions.ts';
import type { Timeouts } from './timeouts.ts';
import type {
  Capability,
  Implementation,
  Interface,
  ServerStreams,
  Session,
  SessionInterface,
} from '../interface/interface.ts';
import type { Label } from '../label.ts';
import type { Dataspace } from '../memory/dataspace.ts';
import type { HostAccess } from './host-access.ts';
import type { RequestOptions, SessionConnectOptions } from './connect-options.ts';
import type { ResourceRequestOptions } from './resource-requests.ts';
import type { SessionTicket } from './session-client.ts';
import type { Synchronous, SynchronousOptions } from './synchronous.ts';
import type { SessionArguments } from '../session/parent.ts';
import type { AccountState, Pd, Resources } from '../session/pd.ts';
import type { YieldHandler } from './yield-requests.ts';

export type { ConnectOptions } from './connect-options.ts';

/** A session request, as its server sees it. */
export interface SessionContext<I extends SessionInterface> {
  readonly label: Label;
  readonly args: SessionArguments;
  /**
   * The donated RAM in bytes, less what the runtime has used for the session object and its
   * streams.
   */
  readonly ram: number;
  /**
   * The donated capabilities, less what the runtime has used for the session object and its
   * streams.
   */
  readonly caps: number;
  /**
   * Everything that the client donated. A mediator passes all of it on, because it is charged
   * nothing itself.
   */
  readonly donation: Resources;
  /**
   * The server's ends of the session's packet streams: one promise for each stream by its name,
   * which resolves when the client has opened the stream and rejects if it never does.
   */
  readonly streams: ServerStreams<I>;
}

/**
 * Answers a session request with the session's object, or, as a mediator does, with a session of
 * another server (`env.request`). Throw `SessionError` to refuse the request; any other error
 * becomes `DENIED`.
 */
export type SessionOpener<I extends SessionInterface> = (
  context: SessionContext<I>,
) => Implementation<I> | SessionTicket<I> | Promise<Implementation<I> | SessionTicket<I>>;

/** The component's own memory. */
export interface Ram {
  /** Allocates zeroed memory against the RAM quota. Rejects with `OUT_OF_RAM` or `OUT_OF_CAPS`. */
  allocate(sizeBytes: number): Promise<Dataspace>;
  /**
   * Gives memory back, and takes it from everybody who has it: from then on `attach` throws
   * `Revoked`, and views read zeros. Settles when the quota is back. What the host is reading or
   * writing there is finished first.
   */
  free(dataspace: Dataspace): Promise<void>;
  /**
   * Lets go of a dataspace that somebody else has passed to us: `attach` throws `Revoked` from then
   * on, and our views may read zeros. The memory goes at once, not only when the engine collects
   * the views, unless another component of this process has it too.
   */
  detach(dataspace: Dataspace): void;
}

/** The environment of a component: everything it can reach. */
export interface Env {
  /** The component's `<config>`, and its changes. */
  readonly config: Config;
  /** The component's own memory: dataspaces to be shared with others. */
  readonly ram: Ram;
  /** Timeouts over a Timer session, opened at first use. */
  readonly timer: Timeouts;
  /** The host, as far as the config grants it: nothing, unless the start node has a `<host>`. */
  readonly host: HostAccess;
  /**
   * Opens a session. Rejects with `SessionError` if it is denied or cannot be paid for; calls on
   * the session reject with `PeerGone` once its server is gone. With `timeoutMs` or `signal` it
   * does not wait for ever. With `onReattach` the component is handed another session then, if its
   * start node says `reattach="yes"`.
   */
  connect<I extends SessionInterface>(interface_: I, options?: SessionConnectOptions<I>): Promise<Session<I>>;
  /**
   * Opens a session in order to hand it on: as a mediator's answer to a session request, for
   * instance. The session cannot be used here. Rejects as `connect` does.
   */
  request<I extends SessionInterface>(interface_: I, options?: RequestOptions): Promise<SessionTicket<I>>;
  /**
   * Closes a session that `connect` or `request` has opened. Settles when the server is done with
   * it and the donation is back. The result is the part of the donation that has not come back,
   * because somebody on the way has kept it.
   */
  close(session: object): Promise<Resources>;
  /** Donates more quota to an open session. Rejects with `SessionError`. */
  upgrade(session: object, more: Resources): Promise<void>;
  /** Announces a service to the parent: `open` answers each session request. */
  provide<I extends SessionInterface>(interface_: I, open: SessionOpener<I>): void;
  /**
   * A capability of an object of this component, to be passed in arguments and results. The same
   * implementation always gives the same object.
   */
  capability<I extends Interface>(interface_: I, implementation: Implementation<I>): Capability<I>;
  /**
   * The operations of a capability as functions that block the whole thread until the answer is
   * there, for code that cannot wait in any other way. Nothing else of the component runs
   * meanwhile. Throws the error that the call would reject with, `TimedOut` at the deadline, and
   * `WouldDeadlock` if the callee waits, in synchronous calls, for this component.
   */
  synchronous<I extends Interface>(
    interface_: I,
    capability: Capability<I>,
    options: SynchronousOptions,
  ): Synchronous<I>;
  /** Dissolves an object that `capability` has given out: later calls of it end with `Revoked`. */
  revoke(implementation: object): void;
  /**
   * A signal context: whoever holds the result may wake the handler. Signals that come before it
   * has run become one, so the handler has to look at the state itself.
   */
  signal(handler: () => void | Promise<void>): SignalCapability;
  /** The component's account: needed to give quota to children. */
  readonly pd: Capability<typeof Pd>;
  /** The component's quota of RAM (bytes) and capabilities, and how much of each is used. */
  quota(): Promise<AccountState>;
  /**
   * Asks the parent for more quota. Settles when the account has been given more, whatever the
   * amount: look whether it is enough, and ask again if not. Nobody has to grant it: without
   * `timeoutMs` or `signal` this waits until somebody does, the parent's state report says so
   * meanwhile, and it rejects with `PeerGone` if the parent goes. Operations that fail with
   * `OUT_OF_RAM` or `OUT_OF_CAPS` do not ask by themselves.
   */
  requestResources(amount: Partial<Resources>, options?: ResourceRequestOptions): Promise<void>;
  /**
   * Registers a handler that frees quota when the parent wants some back: `wanted` says how much.
   * When all handlers have settled the parent takes what is free then. A component without such a
   * handler is not asked. Costs one capability.
   */
  onYield(handler: YieldHandler): void;
  /**
   * Writes a line to the log. Settles when there is room for more; only a component that writes a
   * lot needs to wait for that.
   */
  log(text: string): Promise<void>;
  /** As `log`, marked as a warning. */
  warning(text: string): Promise<void>;
  /** As `log`, marked as an error. */
  error(text: string): Promise<void>;
  /**
   * Marks that the component has come to a place in its code, for whoever traces it; otherwise it
   * does nothing.
   */
  checkpoint(name: string, value?: number): void;
  /**
   * Says that `holds` is true whenever this is called. If it is false, a simulated run has failed;
   * elsewhere one line of the log says so. In both cases this throws `AssertionFailed` and the
   * component crashes, even if the error is caught.
   */
  assertAlways(holds: boolean, what: string): void;
  /**
   * Says that something will have come about before the component ends: it has when `met` of the
   * result is called, or when `by` is fulfilled. If it never does, a simulated run has failed;
   * elsewhere the log says so when the component is stopped. Throws `LimitExceeded` if too many
   * obligations are unmet.
   */
  assertEventually(what: string, by?: Promise<unknown>): Obligation;
  /**
   * Registers a handler for the component's end. It runs when the component's own clients are gone;
   * the handler that was registered last runs first.
   */
  onStop(handler: () => void | Promise<void>): void;
  /**
   * Tells the parent that the component is done. Log lines that were written before appear before.
   * The code is a whole number from 0 to 255, 0 for success; throws `InvalidArgument` for any
   * other.
   */
  exit(code: number): void;
}

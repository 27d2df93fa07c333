/** What a component sees of the world. */
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
import type { ConnectOptions } from './connect-options.ts';
import type { SessionTicket } from './session-client.ts';
import type { Synchronous, SynchronousOptions } from './synchronous.ts';
import type { SessionArguments } from '../session/parent.ts';
import type { AccountState, Pd, Resources } from '../session/pd.ts';

export type { ConnectOptions } from './connect-options.ts';

/** A session request at its server. */
export interface SessionContext<I extends SessionInterface> {
  readonly label: Label;
  readonly args: SessionArguments;
  /** What the client donated, less what the runtime has used for the session object and its streams. */
  readonly ram: number;
  readonly caps: number;
  /** All that the client donated: what a mediator passes on, for it is charged nothing itself. */
  readonly donation: Resources;
  /** The server's ends of the packet streams, once the client has opened them. */
  readonly streams: ServerStreams<I>;
}

/**
 * Answers a session request with the session's object, or, as a mediator does, with a session that somebody else
 * serves. Throws `SessionError` to refuse; `DENIED` is what any other error becomes.
 */
export type SessionOpener<I extends SessionInterface> = (
  context: SessionContext<I>,
) => Implementation<I> | SessionTicket<I> | Promise<Implementation<I> | SessionTicket<I>>;

/** Memory of the component's own. */
export interface Ram {
  /** Allocates zeroed memory against the RAM quota. Rejects with `OUT_OF_RAM` or `OUT_OF_CAPS`. */
  allocate(sizeBytes: number): Promise<Dataspace>;
  /**
   * Gives it back, and takes it from everybody who has it: `attach` throws `Revoked` from then on, views read zeros.
   * Settles when the quota is back. What the host is reading or writing there is finished first.
   */
  free(dataspace: Dataspace): Promise<void>;
  /**
   * Lets go of a dataspace that somebody else has passed to us: `attach` throws `Revoked`, and our views may read zeros. The
   * memory goes at once, rather than when the engine collects the views, if no other component of the process has it.
   */
  detach(dataspace: Dataspace): void;
}

/** The environment of a component: everything it can reach. */
export interface Env {
  /** The component's `<config>`, and its changes. */
  readonly config: Config;
  readonly ram: Ram;
  /** Timeouts over a Timer session, opened at first use. */
  readonly timer: Timeouts;
  /** What the config grants of the host; empty unless its start node has a `<host>`. */
  readonly host: HostAccess;
  /**
   * Opens a session. Rejects with `SessionError` if it is denied or cannot be paid for; calls on the session
   * reject with `PeerGone` once its server is gone. With `timeoutMs` or `signal` it does not wait for ever.
   */
  connect<I extends SessionInterface>(interface_: I, options?: ConnectOptions): Promise<Session<I>>;
  /** Opens a session on behalf of somebody else: it can be handed on, not used. */
  request<I extends SessionInterface>(interface_: I, options?: ConnectOptions): Promise<SessionTicket<I>>;
  /**
   * Closes a session; settles when its server is done with it and the donation is back. The result is what has not come back,
   * because somebody on the way has kept it.
   */
  close(session: object): Promise<Resources>;
  /** Donates more quota to an open session. Rejects with `SessionError`. */
  upgrade(session: object, more: Resources): Promise<void>;
  /** Offers a service: `open` answers each session request. */
  provide<I extends SessionInterface>(interface_: I, open: SessionOpener<I>): void;
  /** A capability of an object of this component, to be passed in arguments and results. */
  capability<I extends Interface>(interface_: I, implementation: Implementation<I>): Capability<I>;
  /**
   * The operations of a capability as functions that block the whole thread until the answer is there: for code that
   * cannot wait in any other way. Nothing else of the component runs meanwhile. Throws what the call would reject with,
   * `TimedOut` at the deadline, and `WouldDeadlock` if the callee waits, in synchronous calls, for this component.
   */
  synchronous<I extends Interface>(
    interface_: I,
    capability: Capability<I>,
    options: SynchronousOptions,
  ): Synchronous<I>;
  /** Dissolves such an object: later calls of it end with `Revoked`. */
  revoke(implementation: object): void;
  /** A signal context: whoever gets the signal may wake the handler. */
  signal(handler: () => void | Promise<void>): SignalCapability;
  /** The component's account, for who has children of its own. */
  readonly pd: Capability<typeof Pd>;
  /** Quota and use of RAM and capabilities. */
  quota(): Promise<AccountState>;
  /** Writes a line to the log. Settles when there is room for more; no need to wait otherwise. */
  log(text: string): Promise<void>;
  warning(text: string): Promise<void>;
  error(text: string): Promise<void>;
  /**
   * Says that `holds` is true whenever this is called. If it is not, that is the failure of a simulated run; elsewhere one
   * line of the log says so. In both cases this throws `AssertionFailed` and the component crashes, even if that is caught.
   */
  assertAlways(holds: boolean, what: string): void;
  /**
   * Says that something will have come about before the component ends: when `met` of the result is called, or `by` is
   * fulfilled. If it never does, that is the failure of a simulated run; elsewhere the log says so when the component
   * is stopped. Throws `LimitExceeded` if too many are unmet.
   */
  assertEventually(what: string, by?: Promise<unknown>): Obligation;
  /** Called when the component is to end, its own clients being gone already; last registered, first called. */
  onStop(handler: () => void | Promise<void>): void;
  /**
   * Tells the parent that the component is done. Log lines written before come out before. The code is a whole number
   * from 0 to 255, 0 for success; throws `InvalidArgument` for any other.
   */
  exit(code: number): void;
}

/** How a component asks for a session. */
import type { Session, SessionInterface } from '../interface/interface.ts';
import type { SessionArguments } from '../session/parent.ts';
import type { Resources } from '../session/pd.ts';

/** The options of a session request. Everything has a default. */
export interface ConnectOptions {
  /** Tells the server, and the parents on the way, which session this is. Empty by default. */
  readonly label?: string;
  /**
   * Service-specific arguments. `tx_buf_size` and `rx_buf_size` set the bulk buffers of packet
   * streams.
   */
  readonly args?: SessionArguments;
  /**
   * Bytes donated beyond what the session's packet streams and the server's session object need.
   */
  readonly ram?: number;
  /** Capabilities donated beyond the one for the session object. */
  readonly caps?: number;
  /**
   * Donates exactly this, instead of what the runtime computes: for components that pass on a
   * client's donation. A server that wants more is not asked again.
   */
  readonly donation?: Resources;
  /**
   * Gives up after so many milliseconds, with `TimedOut`. The time is measured by the component's
   * Timer session. A session that comes later is closed, and its donation comes back then.
   */
  readonly timeoutMs?: number;
  /** Gives up when this is aborted, with its reason. */
  readonly signal?: AbortSignal;
  /**
   * After giving up by `signal`, waits for the parent's answer nevertheless: for a component that
   * must know how much of the donation has come back.
   */
  readonly awaitAnswer?: boolean;
}

/** The options of a session that goes on in another one when its server goes. */
export interface ReattachOptions<I extends SessionInterface> {
  /**
   * Called with a new session whenever the server of the last one has ended, or is being replaced,
   * if the start node of this component says `reattach="yes"`. The new session is asked for as the
   * first was: same label, same arguments, same route. What the server kept for the last session is
   * gone, and calls on that end with `PeerGone` or `Revoked`; only while a server is being replaced
   * by one that is ready can it still be used, until this handler settles. The runtime closes it
   * then. Closing the newest session ends all this.
   */
  readonly onReattach?: (session: Session<I>) => void | Promise<void>;
  /**
   * Called with the reason whenever a new session is refused: there is no route any more, say, or
   * the server does not run. The request is made again when the config or the children of the
   * parent change. Without this handler the log says it.
   */
  readonly onReattachRefused?: (reason: Error) => void;
}

/** The options of `Env.connect`. */
export type SessionConnectOptions<I extends SessionInterface> = ConnectOptions & ReattachOptions<I>;

/** The options of `Env.request`. */
export interface RequestOptions extends ConnectOptions {
  /** Whether this component hears, by `watchSessions`, when the server of the session goes. */
  readonly reattach?: boolean;
}

/** How a component asks for a session. */
import type { SessionInterface } from '../interface/interface.ts';
import type { SessionArguments } from '../session/parent.ts';
import type { Resources } from '../session/pd.ts';
import type { ReattachOptions } from '../session/session-opening.ts';

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

/** The options of `Env.connect`. */
export type SessionConnectOptions<I extends SessionInterface> = ConnectOptions & ReattachOptions<I>;

/** The options of `Env.request`. */
export interface RequestOptions extends ConnectOptions {
  /** Whether this component hears, by `watchSessions`, when the server of the session goes. */
  readonly reattach?: boolean;
}

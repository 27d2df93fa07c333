/** The Terminal service of the supervisor: terminals that people attach to from outside. */
import type { Implementation } from '../interface/interface.ts';
import type { RootRequest } from '../session/parent.ts';
import { type Terminal, type TerminalWatcher, WatchedTerminal } from '../session/terminal/index.ts';

/** A terminal of a component. */
export interface KeptTerminal {
  /** The whole label of the session, which ends in the name of the terminal. */
  readonly label: string;
  /** One more person who looks at it. Throws `LimitExceeded`. */
  watch(): TerminalWatcher;
}

/**
 * The terminals of a system. Their buffers are paid for by the sessions, and go with these.
 */
export class KeptTerminals {
  readonly #open = new Map<RootRequest, KeptTerminal>();

  /** A session for one more client. */
  open(request: RootRequest): Implementation<typeof Terminal> {
    const { label } = request;
    const terminal = new WatchedTerminal(request, () => void this.#open.delete(request));
    this.#open.set(request, { label, watch: () => terminal.watch() });
    return terminal.session;
  }

  /** The terminals that are open, in the order of their opening. */
  get all(): readonly KeptTerminal[] {
    return [...this.#open.values()];
  }
}

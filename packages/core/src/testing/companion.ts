/** Another component of a test: a scripted peer, or a client of the component under test. */
import type { Env } from '../runtime/env.ts';
import type { Session, SessionInterface } from '../interface/interface.ts';
import type { ConnectOptions } from '../runtime/connect-options.ts';
import type { Child } from './child.ts';

/** The services that it needs of the test. */
export interface CompanionHost {
  /** Ends the component with this name as a crash would. */
  readonly crash: (name: string) => Promise<void>;
  /** Settles as `promise` does; rejects if that takes too long. */
  readonly within: <Value>(promise: Promise<Value>, what: string) => Promise<Value>;
  /** The same, while time passes from one timeout to the next by itself. */
  readonly whileTimePasses: <Value>(promise: Promise<Value>, what: string) => Promise<Value>;
}

/** A scripted peer of the component under test, as the test sees it. */
export class ScriptedPeer implements AsyncDisposable {
  readonly name: string;
  /** Its environment: a whole component is behind it. */
  readonly env: Env;
  protected readonly host: CompanionHost;
  readonly #child: Child;

  constructor(child: Child, env: Env, host: CompanionHost) {
    this.name = child.name;
    this.env = env;
    this.#child = child;
    this.host = host;
  }

  /**
   * Ends it as a crash would: whoever has called it gets `PeerGone`. Settles when everybody has
   * heard of it.
   */
  crash(): Promise<void> {
    return this.host.crash(this.name);
  }

  /** Ends it in order: its stop handlers run, its sessions are closed, its quota goes back. */
  close(): Promise<void> {
    return this.host.whileTimePasses(this.#close(), `"${this.name}" was not closed`);
  }

  async #close(): Promise<void> {
    await this.#child.stop();
    await this.#child.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A client of the component under test. */
export class TestClient extends ScriptedPeer {
  readonly #announced: (service: string) => Promise<void>;

  constructor(child: Child, env: Env, host: CompanionHost, announced: (service: string) => Promise<void>) {
    super(child, env, host);
    this.#announced = announced;
  }

  /** Opens a session of a service that the component under test announces; waits until it has. */
  async connect<I extends SessionInterface>(interface_: I, options?: ConnectOptions): Promise<Session<I>> {
    await this.#announced(interface_.service);
    const opening = this.env.connect(interface_, options);
    return this.host.within(opening, `the component has not opened the session "${interface_.service}"`);
  }
}

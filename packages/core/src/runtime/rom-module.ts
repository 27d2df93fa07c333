/**
 * The server's side of ROM: a module with versions, and one session of it for each client. A client
 * sees a new version only when it asks. A change wakes the clients whose version is outdated.
 */
import type { SignalCapability } from '../capability/signal.ts';
import type { Implementation } from '../interface/interface.ts';
import { deferred } from '../async/deferred.ts';
import { Dataspace } from '../memory/dataspace.ts';
import type { Rom } from '../session/rom.ts';

/** A ROM module that its owner may change. */
export class RomModule {
  #content: Dataspace | undefined;
  #version = 0;
  readonly #sessions = new Set<RomModuleSession>();
  /** Called when a client has asked for the newest version, or has gone. */
  readonly #waiting = new Set<() => void>();

  constructor(content?: Uint8Array) {
    if (content) this.#content = Dataspace.ofContent(content);
  }

  /**
   * A new version; `undefined` makes the module absent. A dataspace is sealed, and is there as long
   * as somebody may have this version.
   */
  replace(content: Uint8Array | Dataspace | undefined): void {
    this.#content = content instanceof Uint8Array ? Dataspace.ofContent(content) : content;
    this.#version++;
    for (const session of this.#sessions) session.changed();
  }

  /** Settles when no client has an older version than the one of now. */
  seen(): Promise<void> {
    const version = this.#version;
    const { promise, resolve } = deferred<void>();
    const look = (): void => {
      if ([...this.#sessions].some((session) => session.seen < version)) return;
      this.#waiting.delete(look);
      resolve();
    };
    this.#waiting.add(look);
    look();
    return promise;
  }

  /**
   * Empties the module without waking anybody: each client keeps what it has got until it asks
   * again. For content whose maker is gone.
   */
  withdraw(): void {
    this.#content = Dataspace.ofContent(new Uint8Array(0));
  }

  /** A session for one more client; `closed` is called when it has ended. */
  open(closed: () => void = () => {}): Implementation<typeof Rom> {
    const session: RomModuleSession = new RomModuleSession(
      () => ({ version: this.#version, content: this.#content }),
      () => {
        this.#sessions.delete(session);
        this.#look();
        closed();
      },
      () => this.#look(),
    );
    this.#sessions.add(session);
    return session;
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}

class RomModuleSession {
  readonly #newest: () => { version: number; content: Dataspace | undefined };
  readonly #closed: () => void;
  readonly #asked: () => void;
  #handler: SignalCapability | undefined;
  #seen: number;

  constructor(
    newest: () => { version: number; content: Dataspace | undefined },
    closed: () => void,
    asked: () => void,
  ) {
    this.#newest = newest;
    this.#closed = closed;
    this.#asked = asked;
    this.#seen = newest().version;
  }

  /** The version that the client has. */
  get seen(): number {
    return this.#seen;
  }

  dataspace(): Dataspace | null {
    const { version, content } = this.#newest();
    this.#seen = version;
    this.#asked();
    return content ?? null;
  }

  update(): boolean {
    return this.#newest().version !== this.#seen;
  }

  setHandler(handler: SignalCapability): void {
    this.#handler?.[Symbol.dispose]();
    this.#handler = handler;
    if (this.update()) handler.submit();
  }

  changed(): void {
    this.#handler?.submit();
  }

  [Symbol.dispose](): void {
    this.#handler?.[Symbol.dispose]();
    this.#closed();
  }
}

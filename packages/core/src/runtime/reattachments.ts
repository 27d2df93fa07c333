/**
 * The client's side of healing. The parent tells which sessions have lost their servers, or are to
 * be left because another server takes over. For each of them that the component wants to go on,
 * the runtime opens a new session in the same way as the first and hands it to the component. If
 * the new session is refused, the request is made again whenever the parent says that something has
 * changed, for as long as the component does not close the session.
 */
import type { SignalCapability } from '../capability/signal.ts';
import { hasCode } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import type { Parent, SessionNotice } from '../session/parent.ts';
import type { Resources } from '../session/pd.ts';

/** A session that was opened in the place of another, and the way to give it to the component. */
export interface Reopened {
  readonly session: object;
  readonly hand: () => void | Promise<void>;
}

/** What is done about one session, again and again. */
export interface ReattachingClient {
  /** Opens a session like the first one; gives up when the signal is aborted. */
  readonly open: (givenUp: AbortSignal) => Promise<Reopened>;
  /** Takes the error when a new session is refused. */
  readonly refused: (error: Error) => void;
}

/** The parts of the component that reattaching works with. */
export interface ReattachmentsHost {
  readonly parent: Capability<typeof Parent>;
  readonly signal: (handler: () => Promise<void>) => SignalCapability;
  /** Takes errors of the component's handlers. */
  readonly report: (error: unknown) => void;
  readonly close: (session: object) => Promise<Resources>;
  /** The open sessions by their numbers. */
  readonly sessions: () => ReadonlyMap<number, object>;
}

/** What a component that hands sessions on does with the same news, as init does. */
export interface SessionWatcher {
  /**
   * The server of a session from `env.request` has gone, and the session has `ended`, or is about
   * to be replaced. Told again and again until the session is closed.
   */
  left(ticket: object, ended: boolean): void;
  /** Requests that were refused may be granted now. */
  retry(): void;
}

/** One session that is to go on in others. */
interface Kept {
  readonly client: ReattachingClient;
  /** The session that the component uses, or used last. */
  session: object;
  /** Why it needs a new one: it has ended, or its server is being replaced. */
  lost: 'ended' | 'moving' | undefined;
  /** Whether somebody is at work on it. */
  busy: boolean;
  /** Whether there was news meanwhile. */
  again: boolean;
  readonly givenUp: AbortController;
}

/** The sessions of one component that go on in others when their servers go. */
export class Reattachments {
  readonly #host: ReattachmentsHost;
  readonly #kept = new Map<object, Kept>();
  #listening = false;
  /** Whether a notice was about a session that is not kept yet. */
  #missed = false;
  /** Takes the news of sessions that are handed on. */
  watcher: SessionWatcher | undefined;

  constructor(host: ReattachmentsHost) {
    this.#host = host;
  }

  /** From now on the parent's news are heard. */
  listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    const { parent, signal, report } = this.#host;
    parent.sessionHandler(signal(() => this.#look())).catch((error: unknown) => {
      if (!hasCode(error, 'PeerGone')) report(error);
    });
  }

  /** From now on this session goes on in others. */
  keep(session: object, client: ReattachingClient): void {
    const givenUp = new AbortController();
    this.#kept.set(session, { client, session, lost: undefined, busy: false, again: false, givenUp });
    this.#lookForMissed();
  }

  /** The component has closed a session: if it was to go on in others, it is not any more. */
  forget(session: object): void {
    this.#kept.get(session)?.givenUp.abort();
    this.#kept.delete(session);
  }

  async #look(): Promise<void> {
    const notices = await this.#notices();
    this.#missed = false;
    const sessions = notices.length > 0 ? this.#host.sessions() : new Map<number, object>();
    for (const { id, ended } of notices) this.#notice(sessions.get(id), ended);
    for (const kept of this.#kept.values()) if (kept.lost) void this.#renew(kept);
    this.watcher?.retry();
  }

  async #notices(): Promise<readonly SessionNotice[]> {
    try {
      return await this.#host.parent.sessionNotices();
    } catch (error) {
      // A parent that is gone, or has no use for this component any more, has no news.
      if (hasCode(error, 'PeerGone') || hasCode(error, 'Revoked')) return [];
      throw error;
    }
  }

  #notice(session: object | undefined, ended: boolean): void {
    if (!session) return;
    const kept = this.#kept.get(session);
    if (kept) kept.lost = ended ? 'ended' : 'moving';
    else this.#missed = true;
    this.watcher?.left(session, ended);
  }

  /** A notice may be heard before the session that it is about is open here. */
  #lookForMissed(): void {
    if (this.#missed) this.#look().catch(this.#host.report);
  }

  /** Puts new sessions in the place of one, until the newest is not lost. Never rejects. */
  async #renew(kept: Kept): Promise<void> {
    kept.again = true;
    if (kept.busy) return;
    kept.busy = true;
    try {
      for (let done = false; kept.lost && !kept.givenUp.signal.aborted && (done || kept.again); ) {
        kept.again = false;
        done = await this.#replace(kept, kept.lost);
      }
    } catch (error) {
      this.#host.report(error);
    } finally {
      kept.busy = false;
    }
  }

  /** The result is false if there is no new session for now. */
  async #replace(kept: Kept, lost: 'ended' | 'moving'): Promise<boolean> {
    const { session: old, givenUp } = kept;
    const { close, report } = this.#host;
    if (lost === 'ended') await close(old);
    const next = await this.#open(kept);
    if (!next) return false;
    if (givenUp.signal.aborted) {
      await close(next.session);
      return false;
    }
    kept.session = next.session;
    kept.lost = undefined;
    this.#kept.delete(old);
    this.#kept.set(next.session, kept);
    this.#lookForMissed();
    try {
      await next.hand();
    } catch (error) {
      report(error);
    }
    await close(old);
    return true;
  }

  async #open(kept: Kept): Promise<Reopened | undefined> {
    const { client, givenUp, session } = kept;
    try {
      return await client.open(givenUp.signal);
    } catch (error) {
      if (givenUp.signal.aborted) return undefined;
      if (kept.lost === 'moving' && isShort(error)) {
        // There is not enough for two sessions side by side.
        await this.#host.close(session);
        kept.lost = 'ended';
        return this.#open(kept);
      }
      client.refused(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }
}

function isShort(error: unknown): boolean {
  return hasCode(error, 'OUT_OF_RAM') || hasCode(error, 'OUT_OF_CAPS');
}

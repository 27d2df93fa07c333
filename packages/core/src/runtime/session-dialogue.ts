/**
 * What a parent tells one of its children about the child's sessions: which of them have lost their
 * servers or are about to, and that requests that were refused may be granted now. All of this is
 * state: a child that looks late, or twice, learns the same.
 */
import type { SignalCapability } from '../capability/signal.ts';
import type { Implementation } from '../interface/interface.ts';
import { LIMITS } from '../limits.ts';
import type { Parent, SessionNotice } from '../session/parent.ts';

type Operations = Pick<Implementation<typeof Parent>, 'sessionHandler' | 'sessionNotices'>;

/** The dialogue with one child. */
export class SessionDialogue {
  /** The sessions that the child has to leave, and whether they have ended. */
  readonly #notices = new Map<number, boolean>();
  #handler: SignalCapability | undefined;
  /** Whether there is something that the child has not looked at. It is woken once for that. */
  #news = false;

  /**
   * A session of the child has ended, or is to be left. A child that closes nothing is told of a
   * bounded number of sessions only.
   */
  leave(id: number, ended: boolean): void {
    if (this.#notices.get(id) === ended) return;
    if (!this.#notices.has(id) && this.#notices.size >= LIMITS.sessionNoticesKept) return;
    this.#notices.set(id, ended);
    this.#wake();
  }

  /** The child has closed a session, or has opened one with this number. */
  forget(id: number): void {
    const more = this.#notices.size > LIMITS.sessionNotices;
    if (this.#notices.delete(id) && more) this.#wake();
  }

  /** Something has changed that decides about requests which were refused. */
  retry(): void {
    this.#wake();
  }

  /** The child is gone. */
  end(): void {
    this.#handler?.[Symbol.dispose]();
    this.#handler = undefined;
    this.#notices.clear();
  }

  /** The child's side of the dialogue: a part of its parent's interface. */
  get operations(): Operations {
    return {
      sessionHandler: (handler) => {
        this.#handler?.[Symbol.dispose]();
        this.#handler = handler;
        if (this.#news) handler.submit();
      },
      sessionNotices: () => this.#list(),
    };
  }

  #list(): SessionNotice[] {
    this.#news = false;
    const notices = Array.from(this.#notices, ([id, ended]) => ({ id, ended }));
    return notices.slice(0, LIMITS.sessionNotices);
  }

  #wake(): void {
    if (this.#news) return;
    this.#news = true;
    this.#handler?.submit();
  }
}

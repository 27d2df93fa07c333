/** The two ends of a line. (Reference: Genode's terminal_crosslink.) */
import { type Implementation, type SessionContext, SessionError } from '@ginit/core';
import { ServedTerminal, type Terminal } from '@ginit/core/terminal';

const ENDS = 2;

/**
 * A line with two ends. Bytes wait at the end where they were written until the other takes them.
 */
export class Crosslink {
  readonly #ends = new Set<ServedTerminal>();

  /** One more client. Throws `DENIED` if there are two already. */
  open(session: Pick<SessionContext<typeof Terminal>, 'args'>): Implementation<typeof Terminal> {
    if (this.#ends.size >= ENDS) {
      throw new SessionError('DENIED', 'this line has two ends, and both are taken');
    }
    const end = new ServedTerminal(session, {
      written: () => pass(end, this.#otherThan(end)),
      drained: () => pass(this.#otherThan(end), end),
      closed: () => void this.#ends.delete(end),
    });
    this.#ends.add(end);
    end.connect();
    pass(this.#otherThan(end), end);
    return end.session;
  }

  #otherThan(end: ServedTerminal): ServedTerminal | undefined {
    return [...this.#ends].find((one) => one !== end);
  }
}

/** Passes on as much as the other end has room for. */
function pass(from: ServedTerminal | undefined, to: ServedTerminal | undefined): void {
  if (from && to && to.room > 0 && from.pending > 0) to.push(from.take(to.room));
}

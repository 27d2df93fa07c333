import { fileSystemFailure } from '../names.ts';
import type { BackendNode } from './backend.ts';
import type { OpenNode } from './handle-table.ts';

/**
 * Packets of one session that wait at a time. Each of them keeps a slot of the queue; the others
 * are left to those that do not wait.
 */
const WAITING_MAX = 8;

/** What waits, in one session, for files that have nothing to read or take nothing. */
export class Waiting<Node extends BackendNode> {
  /** What waits, and what has it end. */
  readonly #ends = new Set<AbortController>();
  #ended = false;

  /**
   * Waits for what `begin` returns. `Busy` if too much waits already, `Unavailable` as soon as the
   * handle is closed or the session ends.
   */
  async until(open: OpenNode<Node>, begin: (ended: AbortSignal) => Promise<void> | undefined): Promise<void> {
    if (this.#ended || open.closed) throw fileSystemFailure('Unavailable');
    if (this.#ends.size >= WAITING_MAX) throw fileSystemFailure('Busy', 'too much waits');
    const ending = new AbortController();
    const closing = (open.waiting ??= new AbortController()).signal;
    const end = (): void => ending.abort();
    closing.addEventListener('abort', end, { once: true });
    this.#ends.add(ending);
    try {
      await Promise.race([begin(ending.signal), aborted(ending.signal)]);
    } finally {
      this.#ends.delete(ending);
      closing.removeEventListener('abort', end);
      // What has lost the race need not wait any more.
      ending.abort();
    }
  }

  /** Ends all that waits; nothing waits after that. */
  end(): void {
    this.#ended = true;
    for (const ending of this.#ends) ending.abort();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  const ended = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(fileSystemFailure('Unavailable', 'closed')), {
      once: true,
    });
  });
  ended.catch(() => undefined);
  return ended;
}

/**
 * The facts that a thread needs once it has peers in other processes: the counts of awake threads
 * of these processes, and a way to sleep with a live event loop that other processes can end, which
 * V8's waitAsync is not. That way takes modules and a helper thread, which are loaded when the
 * thread first sleeps so; until they are there, it looks around often.
 */
import type { Place } from '../../memory/place.ts';
import type { AsyncSleep } from '../wire/doorbell.ts';

const LOADING_POLL_MS = 2;

/** The processes of a thread's peers, and a sleep that any process can end. */
export class PeersAbroad {
  readonly #censuses = new Map<number, { readonly place: Place; channels: number }>();
  #load: Promise<void> | undefined;
  #futexWaitAsync: AsyncSleep | undefined;

  /** Whether the modules are being loaded, which takes a live event loop. */
  get loading(): boolean {
    return this.#load !== undefined && this.#futexWaitAsync === undefined;
  }

  /** The count of awake threads of each process where this thread has peers. */
  get censuses(): readonly Place[] {
    return [...this.#censuses.values()].map(({ place }) => place);
  }

  /** A channel to a component of this process was made. */
  add(process: number, place: Place): void {
    const known = this.#censuses.get(process) ?? { place, channels: 0 };
    known.channels++;
    this.#censuses.set(process, known);
  }

  /** A channel to a component of this process has ended. */
  remove(process: number): void {
    const known = this.#censuses.get(process);
    if (known && --known.channels === 0) this.#censuses.delete(process);
  }

  readonly asyncSleep: AsyncSleep = (words, index, expected) => {
    if (this.#futexWaitAsync) return this.#futexWaitAsync(words, index, expected);
    this.#load ??= this.#loadWaits();
    return new Promise((resolve) => setTimeout(resolve, LOADING_POLL_MS));
  };

  async #loadWaits(): Promise<void> {
    const { futexWaitAsync } = await import('sharedarraybuffer-polyfill');
    this.#futexWaitAsync = (words, index, expected) => futexWaitAsync(words, index, expected);
  }
}

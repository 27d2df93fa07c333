/**
 * What a thread needs once it has peers in other processes: a count of their processes, whose threads may be working for
 * it, and a way to sleep with a live event loop where V8's own waitAsync would not be woken. That takes modules and a
 * helper thread of their own, which are loaded when a thread first sleeps so; until then it looks around often.
 */
import type { Place } from '../../memory/place.ts';
import type { AsyncSleep } from '../wire/doorbell.ts';

const LOADING_POLL_MS = 2;

/** Sleeps until it is woken by whichever process. */
export class PeersAbroad {
  readonly #censuses = new Map<number, { readonly place: Place; channels: number }>();
  #load: Promise<void> | undefined;
  #futexWaitAsync: AsyncSleep | undefined;

  /** Whether modules are being loaded, which takes a live event loop. */
  get loading(): boolean {
    return this.#load !== undefined && this.#futexWaitAsync === undefined;
  }

  /** Of each process where we have peers. */
  get censuses(): readonly Place[] {
    return [...this.#censuses.values()].map(({ place }) => place);
  }

  /** A channel to a component of this process has come. */
  add(process: number, place: Place): void {
    const known = this.#censuses.get(process) ?? { place, channels: 0 };
    known.channels++;
    this.#censuses.set(process, known);
  }

  /** It has ended. */
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

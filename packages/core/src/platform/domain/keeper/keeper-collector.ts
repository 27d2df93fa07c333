/**
 * Collects garbage in the main thread of a domain process, for the sake of buffers that its keeper
 * has had. As long as such an object exists, so does its address space, although the memory is
 * gone. It collects as rarely as threads do (`collector.ts`), and a while after the last of them.
 */
import { Collector, takeCollect } from '../../thread/memory/collector.ts';

/** Longer than the quiet time that a collector waits for. */
const LOOK_MS = 1200;

/** Collects buffers that the keeper has forgotten. */
export class KeeperCollector {
  readonly #collector: Collector | undefined;
  #looking = false;

  constructor() {
    const collect = takeCollect();
    this.#collector = collect && new Collector(collect);
  }

  /** The keeper has forgotten a buffer. */
  forgotten(): void {
    this.#collector?.count();
    this.#look();
  }

  #look(): void {
    if (this.#looking || !this.#collector?.due) return;
    this.#looking = true;
    setTimeout(() => {
      this.#looking = false;
      this.#collector?.idle();
      this.#look();
    }, LOOK_MS);
  }
}

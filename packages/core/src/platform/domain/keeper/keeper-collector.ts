/**
 * Collects garbage in the thread of a domain process, for the sake of buffers that its keeper has had: as long as their objects
 * are there, so is their address space, though their memory is gone. As rarely as threads do it (`collector.ts`), and
 * a while after the last of them.
 */
import { Collector, takeCollect } from '../../thread/memory/collector.ts';

/** Longer than a collector wants it to be quiet before it runs. */
const LOOK_MS = 1200;

/** Collects what the keeper has forgotten. */
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

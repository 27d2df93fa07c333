import { WaitQueue } from './wait-queue.ts';

/** Lets a number of steps run at a time; the others wait in line. */
export class Semaphore {
  readonly #queue = new WaitQueue();
  #room: number;

  constructor(room: number) {
    this.#room = room;
  }

  /** Runs `step` when it is its turn, and gives its place to the next when it has settled. */
  async run<Result>(step: () => Promise<Result>): Promise<Result> {
    if (this.#room > 0) this.#room--;
    else await this.#queue.wait();
    try {
      return await step();
    } finally {
      if (this.#queue.length > 0) this.#queue.wakeFirst();
      else this.#room++;
    }
  }
}

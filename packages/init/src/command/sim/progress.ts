/**
 * Shows how far a run of many seeds has come: a line that is rewritten on a terminal, and a last
 * line anywhere.
 */
import type { Output } from '../output.ts';
import { StatusLine } from '../status-line.ts';
import type { SeedVerdict } from '@ginit/simulator';

/** Counts seeds. */
export class Progress {
  readonly #total: number;
  readonly #output: Output;
  readonly #startMs = performance.now();
  readonly #line = new StatusLine('sim');
  #done = 0;
  #tasks = 0;
  #virtualUs = 0;

  constructor([first, last]: readonly [number, number], output: Output) {
    this.#total = last - first + 1;
    this.#output = output;
  }

  /** Counts one more seed. */
  add({ virtualUs, tasks }: SeedVerdict): void {
    this.#done++;
    this.#tasks += tasks;
    this.#virtualUs += virtualUs;
    this.#line.show(() => this.#text());
  }

  /** Writes the last line, which stays. */
  end(): void {
    this.#line.clear();
    this.#output.say(`sim: ${this.#text()}`);
  }

  #text(): string {
    const seconds = (performance.now() - this.#startMs) / 1000;
    const virtual = this.#virtualUs / 1e6;
    const rates = [
      `${Math.round((this.#done / seconds) * 60)} seeds a minute`,
      `${(virtual / seconds).toFixed(1)} simulated seconds a second`,
    ];
    const sums = `${this.#tasks} tasks, ${virtual.toFixed(3)} s of virtual time in ${seconds.toFixed(1)} s`;
    return `${this.#done} of ${this.#total} seeds: ${sums} (${rates.join(', ')})`;
  }
}

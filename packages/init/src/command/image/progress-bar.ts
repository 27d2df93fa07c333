/** A bar that shows how much of all tasks is done, on a terminal. */
import type { StatusLine } from '../status-line.ts';

const WIDTH = 40;

/** The bar. */
export class ProgressBar {
  readonly #line: StatusLine;
  readonly #shares: number[];

  constructor(line: StatusLine, tasks: number) {
    this.#line = line;
    this.#shares = Array.from({ length: tasks }, () => 0);
  }

  /** Notes how much of a task is done, from 0 to 1. */
  set(task: number, share: number): void {
    this.#shares[task] = share;
    this.#line.show(() => barText(this.#shares.reduce((sum, one) => sum + one, 0) / this.#shares.length));
  }

  /** Makes room for lines that stay. */
  clear(): void {
    this.#line.clear();
  }
}

/** The bar for a share. */
export function barText(share: number): string {
  const done = Math.floor(Math.max(0, Math.min(1, share)) * WIDTH);
  return `[${'#'.repeat(done)}${'.'.repeat(WIDTH - done)}] ${Math.floor(share * 100)} %`;
}

import type { FormatWriter } from './format-device.ts';

/** Fills blocks with zeros, those that lie side by side at once. */
export class ZeroedBlocks {
  readonly #writer: FormatWriter;
  readonly #blockBytes: number;
  #start = 0;
  #count = 0;

  constructor(writer: FormatWriter, blockBytes: number) {
    this.#writer = writer;
    this.#blockBytes = blockBytes;
  }

  async add(start: number, count: number): Promise<void> {
    if (start !== this.#start + this.#count) {
      await this.end();
      this.#start = start;
    }
    this.#count += count;
  }

  /** Fills what is left. */
  async end(): Promise<void> {
    const [start, count] = [this.#start, this.#count];
    this.#start += count;
    this.#count = 0;
    await this.#writer.zero(start * this.#blockBytes, count * this.#blockBytes);
  }
}

/** The newest lines that were logged, as many as fit into a report. */
import { ConfigNode, writeXml } from '@ginit/core/config';

/** A line that is longer than this is cut. */
const LINE_CHARACTERS_MAX = 1024;
/** Room for the element around the lines, whatever number it holds. */
const FRAME_BYTES = 128;

/** How much is kept. */
export interface Bounds {
  readonly lines: number;
  readonly bytes: number;
}

interface Line {
  readonly node: ConfigNode;
  readonly bytes: number;
}

/**
 * A window over the end of a log. Each line counts with the bytes that it takes in the report, so a
 * report always fits into its buffer, which is at least several times as large as the largest line.
 */
export class NewestLines {
  #bounds: Bounds;
  readonly #lines: Line[] = [];
  #bytes = FRAME_BYTES;
  #older = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  /** The report: the lines, and how many older ones there were. */
  get report(): ConfigNode {
    return ConfigNode.make(
      'log',
      { older: this.#older },
      this.#lines.map(({ node }) => node),
    );
  }

  /** How much is kept from now on. */
  set bounds(bounds: Bounds) {
    this.#bounds = bounds;
    this.#trim();
  }

  /** Adds what the client with this label has logged, which may be several lines. */
  add(label: string, text: string): void {
    for (const line of text.split('\n')) {
      const cut = line.length > LINE_CHARACTERS_MAX ? `${line.slice(0, LINE_CHARACTERS_MAX - 1)}…` : line;
      const node = ConfigNode.make('line', { label }, cut);
      // The two bytes are those by which it is set in.
      const bytes = new TextEncoder().encode(writeXml(node)).byteLength + 2;
      this.#lines.push({ node, bytes });
      this.#bytes += bytes;
      this.#trim();
    }
  }

  #trim(): void {
    while (this.#lines.length > this.#bounds.lines || this.#bytes > this.#bounds.bytes) {
      const oldest = this.#lines.shift();
      if (oldest === undefined) return;
      this.#bytes -= oldest.bytes;
      this.#older++;
    }
  }
}

import { protocolError } from '../nbd-error.ts';

/** Gaps that a server may leave in the pieces of one read for a while. */
const RANGES_MAX = 1024;

/**
 * The parts of a read that have come. A server sends the pieces in any order, but each byte once: a
 * gap would show what was in the memory before.
 */
export class Coverage {
  readonly #bytes: number;
  /** Ranges that are covered, in their order, with gaps between them. */
  readonly #ranges: { from: number; to: number }[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get whole(): boolean {
    const [first] = this.#ranges;
    return this.#bytes === 0 || (first !== undefined && first.from === 0 && first.to === this.#bytes);
  }

  /** Throws if the piece lies outside of the read, or on another one. */
  add(from: number, bytes: number): void {
    const to = from + bytes;
    if (from < 0 || bytes === 0 || to > this.#bytes) {
      throw protocolError(`a piece of ${bytes} bytes at ${from} is not in a read of ${this.#bytes}`);
    }
    const found = this.#ranges.findIndex((range) => range.to >= from);
    const at = found === -1 ? this.#ranges.length : found;
    const before = this.#ranges[at];
    const after = before?.to === from ? this.#ranges[at + 1] : before;
    const overlaps = (before && before.from < to && before.to > from) || (after && after.from < to);
    if (overlaps) throw protocolError(`the server sends bytes at ${from} twice`);
    if (before?.to === from) {
      before.to = to;
      if (after?.from === to) {
        before.to = after.to;
        this.#ranges.splice(at + 1, 1);
      }
    } else if (before?.from === to) before.from = from;
    else this.#ranges.splice(at, 0, { from, to });
    if (this.#ranges.length > RANGES_MAX) throw protocolError('the server sends a read in too many pieces');
  }
}

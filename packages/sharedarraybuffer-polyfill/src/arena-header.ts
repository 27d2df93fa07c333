/**
 * The first pages of an arena describe it, so that every thread that gets the arena's
 * SharedArrayBuffer, by whatever way, can tell which of its words lie in memory shared with other
 * processes, and where they are:
 *
 *     word  0 … 3   magic
 *           4, 5    address of the arena, low half first
 *           6       bytes of a page
 *           7       pages of the arena
 *          16 …     a bit for each page: whether a memory file is mapped there
 *
 * A buffer counts as an arena only if it is where its header says, which no other memory can
 * imitate by accident.
 */
import { assert } from './errors.ts';
import type { Kernel } from './kernel.ts';

const MAGIC = [0x53414250, 0x4f4c5946, 0x494c4c31, 0x41524541] as const;
const ADDRESS = 4;
const PAGE_BYTES = 6;
const PAGES = 7;
const BITS = 16;
const HIGH = 2 ** 32;

/** Bytes of the header of an arena of so many pages. */
export function headerBytes(pages: number): number {
  return (BITS + Math.ceil(pages / 32)) * 4;
}

/** The header of an arena, as one of the process's threads sees it. */
export class ArenaHeader {
  /** Where the arena is. */
  readonly address: number;
  readonly #words: Int32Array;
  readonly #pageBytes: number;

  private constructor(words: Int32Array) {
    this.#words = words;
    this.address = ((words[ADDRESS + 1] ?? 0) >>> 0) * HIGH + ((words[ADDRESS] ?? 0) >>> 0);
    this.#pageBytes = words[PAGE_BYTES] ?? 0;
  }

  /** Writes the header of a new arena. */
  static create(buffer: SharedArrayBuffer, address: number, pageBytes: number): ArenaHeader {
    const pages = buffer.byteLength / pageBytes;
    const words = new Int32Array(buffer, 0, headerBytes(pages) / 4);
    words.set(MAGIC);
    words[ADDRESS] = address % HIGH;
    words[ADDRESS + 1] = Math.floor(address / HIGH);
    words[PAGE_BYTES] = pageBytes;
    words[PAGES] = pages;
    return new ArenaHeader(words);
  }

  /** The header of a buffer that is an arena, undefined for any other memory. */
  static find(buffer: SharedArrayBuffer, kernel: Kernel): ArenaHeader | undefined {
    if (buffer.byteLength < headerBytes(0)) return undefined;
    const start = new Int32Array(buffer, 0, BITS);
    if (MAGIC.some((word, index) => start[index] !== word)) return undefined;
    const pages = start[PAGES] ?? 0;
    if (buffer.byteLength !== pages * (start[PAGE_BYTES] ?? 0)) return undefined;
    const header = new ArenaHeader(new Int32Array(buffer, 0, headerBytes(pages) / 4));
    return header.address === kernel.addressOf(start) ? header : undefined;
  }

  /** Says whether a memory file is mapped at these pages. */
  mark(firstPage: number, count: number, mapped: boolean): void {
    for (let page = firstPage; page < firstPage + count; page++) {
      const bit = 1 << page;
      if (mapped) Atomics.or(this.#words, BITS + (page >>> 5), bit);
      else Atomics.and(this.#words, BITS + (page >>> 5), ~bit);
    }
  }

  /** Whether a memory file is mapped where this byte is. */
  isMapped(byteOffset: number): boolean {
    const page = Math.floor(byteOffset / this.#pageBytes);
    const word = BITS + (page >>> 5);
    assert(word < this.#words.length, 'the byte lies in the arena');
    return (Atomics.load(this.#words, word) & (1 << page)) !== 0;
  }
}

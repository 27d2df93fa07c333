/**
 * The bytes of `fill` and `verify`: a sequence that a seed determines, and of which any part can be
 * made by itself. Word number i of 32 bits, little endian, is a bijective mixing of i with two keys
 * made of the seed. So within 16 GiB all words differ, and a block in the wrong place, of the wrong
 * file or of an older seed never passes. The mixing is Chris Wellons' "lowbias32"
 * (https://nullprogram.com/blog/2018/07/31/), with a key in its middle. The words are stored in the
 * byte order of the host, which is little endian wherever Node runs today.
 */
import { assert } from '@ginit/core';

const WORD_BYTES = 4;
const WORDS_PER_KEY = 2 ** 32;

/** Mixes 32 bits. */
function mix(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}

/** The byte sequence of one seed. */
export class Pattern {
  readonly #low: number;
  readonly #high: number;

  /** `seed`: a non-negative safe integer. */
  constructor(seed: number) {
    this.#low = mix(seed | 0);
    this.#high = mix(Math.floor(seed / WORDS_PER_KEY) ^ 0x5bd1e995);
  }

  /** Writes the bytes from `position` on, a multiple of 4. The last word may be cut. */
  fill(position: number, into: Uint32Array): void {
    assert(position % WORD_BYTES === 0, 'a position of whole words');
    const first = position / WORD_BYTES;
    for (let done = 0; done < into.length; ) {
      const at = first + done;
      const low = at % WORDS_PER_KEY;
      const length = Math.min(into.length - done, WORDS_PER_KEY - low);
      this.#fillUnderKey(Math.floor(at / WORDS_PER_KEY), low, into.subarray(done, done + length));
      done += length;
    }
  }

  #fillUnderKey(high: number, low: number, into: Uint32Array): void {
    const before = this.#low ^ mix(high);
    const between = this.#high;
    const start = low | 0;
    for (let index = 0; index < into.length; index++) {
      // This is `mix`, written out, because it is the inner loop.
      let word = (start + index) ^ before;
      word = Math.imul(word ^ (word >>> 16), 0x7feb352d) ^ between;
      word = Math.imul(word ^ (word >>> 15), 0x846ca68b);
      into[index] = word ^ (word >>> 16);
    }
  }
}

/** The first byte at which two word arrays of equal length differ; -1 if they do not differ. */
export function firstDifference(left: Uint32Array, right: Uint32Array): number {
  for (let index = 0; index < left.length; index++) {
    const difference = (left[index] ?? 0) ^ (right[index] ?? 0);
    if (difference === 0) continue;
    return index * WORD_BYTES + Math.floor((31 - Math.clz32(difference & -difference)) / 8);
  }
  return -1;
}

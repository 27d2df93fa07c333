/**
 * A running hash of the events of a simulated system: two words, mixed as MurmurHash3 mixes its
 * 32-bit words (Appleby, public domain). It tells two runs apart; it does not protect against
 * deliberate collisions.
 */

function mix(state: number, value: number, factor: number, step: number): number {
  let word = Math.imul(value, factor);
  word = (word << 15) | (word >>> 17);
  const mixed = state ^ Math.imul(word, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + step) | 0;
}

function finish(state: number): number {
  let word = state ^ (state >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word ^= word >>> 13;
  word = Math.imul(word, 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

/** A running hash. */
export class Digest {
  #first = 0x2545f491;
  #second = 0x6a09e667;

  /** Takes a whole number of up to 53 bits. */
  number(value: number): void {
    this.#word(value | 0);
    if (value > 0xffff_ffff) this.#word(Math.floor(value / 2 ** 32));
  }

  /** Takes a text, and its length. */
  text(value: string): void {
    this.#word(value.length);
    for (let index = 0; index < value.length; index++) this.#word(value.charCodeAt(index));
  }

  /** Takes bytes, and their number. */
  bytes(value: Uint8Array): void {
    this.#word(value.length);
    const whole = value.length - (value.length % 4);
    for (let at = 0; at < whole; at += 4) {
      const high = ((value[at + 3] ?? 0) << 24) | ((value[at + 2] ?? 0) << 16);
      this.#word(high | ((value[at + 1] ?? 0) << 8) | (value[at] ?? 0));
    }
    for (let at = whole; at < value.length; at++) this.#word(value[at] ?? 0);
  }

  /** The hash of everything so far, as 16 hexadecimal digits. */
  get value(): string {
    const words = [finish(this.#first), finish(this.#second ^ this.#first)];
    return words.map((word) => word.toString(16).padStart(8, '0')).join('');
  }

  #word(value: number): void {
    this.#first = mix(this.#first, value, 0xcc9e2d51, 0xe6546b64 | 0);
    this.#second = mix(this.#second, value, 0x239b961b, 0x38b34ae5);
  }
}

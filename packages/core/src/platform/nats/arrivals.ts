/**
 * The data datagrams of one direction as they arrive: each is taken once, and in order. Those that
 * come too early wait, within the window that the peer was told.
 */
import { LIMITS } from '../../limits.ts';

export class Arrivals {
  readonly #early = new Map<number, Uint8Array>();
  #next = 1;
  #earlyBytes = 0;

  /** All datagrams before this number have arrived. */
  get next(): number {
    return this.#next;
  }

  /** Whether some have come though others before them are missing. */
  get gap(): boolean {
    return this.#early.size > 0 && !this.#early.has(this.#next);
  }

  /** Whether a datagram with this number is wanted: it has not come before, and there is room. */
  wants(number: number, bytes: number): boolean {
    if (number < this.#next || number >= this.#next + LIMITS.busWindowDatagrams) return false;
    if (this.#early.has(number)) return false;
    // The one that comes next is always taken: it makes room.
    return number === this.#next || this.#earlyBytes + bytes <= LIMITS.busWindowBytes;
  }

  add(number: number, body: Uint8Array): void {
    this.#early.set(number, body);
    this.#earlyBytes += body.byteLength;
  }

  /** Takes the next datagram out, if it is there. */
  take(): Uint8Array | undefined {
    const body = this.#early.get(this.#next);
    if (!body) return undefined;
    this.#early.delete(this.#next);
    this.#earlyBytes -= body.byteLength;
    this.#next++;
    return body;
  }

  /** One bit for each of the 64 datagrams after the next one: whether it has come. */
  get bits(): readonly [number, number] {
    const bits: [number, number] = [0, 0];
    for (const number of this.#early.keys()) {
      const bit = number - this.#next - 1;
      if (bit >= 0 && bit < 32) bits[0] = (bits[0] | (1 << bit)) >>> 0;
      else if (bit >= 32 && bit < 64) bits[1] = (bits[1] | (1 << (bit - 32))) >>> 0;
    }
    return bits;
  }
}

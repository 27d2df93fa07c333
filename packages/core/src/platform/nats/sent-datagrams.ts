/**
 * The data datagrams of one direction that the peer has not acknowledged: which of them to send
 * again, and whether more may go. The bound of what is under way follows the peer's window, and is
 * halved when a datagram was lost for longer than answers take, as TCP does it.
 *
 * After a silence only the oldest datagram goes again. If what ends the silence is an
 * acknowledgement of datagrams that were sent again and of no others, whatever was sent before the
 * silence is lost, and goes again within the bound; otherwise the peer was only late (the idea is
 * that of F-RTO, RFC 5682). Without that a lost window takes a round trip for each datagram.
 */
import { Fifo } from '../../fifo.ts';
import { LIMITS } from '../../limits.ts';

const TIMEOUT_US_MIN = 200_000;
const TIMEOUT_US_MAX = 5_000_000;
/** A datagram that others have overtaken so often is sent again. */
const OVERTAKEN_MAX = 3;
/** The parts of RFC 6298 that the means of round trips are made of. */
const MEAN_PART = 8;
const DEVIATION_PART = 4;

interface Sent {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly firstUs: number;
  lastUs: number;
  sent: number;
  overtaken: number;
  /** It counts in what was sent again and has not arrived. */
  again: boolean;
  /** The peer has it, though not all before it. */
  arrived: boolean;
}

/** The meaning of an acknowledgement. */
export interface AcknowledgementOutcome {
  /** When the latest datagram was first sent of which the peer has now proven that it got it. */
  readonly provenUs: number | undefined;
}

export class SentDatagrams {
  readonly #sent = new Fifo<Sent>();
  #next = 1;
  #bytes = 0;
  #windowBytes: number;
  #ownWindowBytes: number;
  #meanUs = 0;
  #deviationUs = 0;
  #backOff = 1;
  /** Those that others have overtaken, to be sent again at once. */
  readonly #overtaken: Sent[] = [];
  /** Those that were lost before a silence, to be sent again by and by, the oldest first. */
  readonly #lost = new Set<Sent>();
  /** Bytes of those that were sent again and have not arrived. */
  #againBytes = 0;
  /** Since when nothing has come, if the oldest was sent again for that. */
  #silenceUs: number | undefined;
  /** Whether the present acknowledgement covers some that were sent once, or again. */
  #arrivedOnce = false;
  #arrivedAgain = false;

  /** `windowBytes`: the peer's window. */
  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes;
    this.#ownWindowBytes = LIMITS.busWindowBytes;
  }

  /** The number of the next datagram. */
  get next(): number {
    return this.#next;
  }

  get empty(): boolean {
    return this.#sent.length === 0;
  }

  /** Whether one more datagram may be sent now. One may always be under way. */
  get open(): boolean {
    if (this.empty) return true;
    const window = Math.min(this.#windowBytes, this.#ownWindowBytes);
    return this.#bytes < window && this.#sent.length < LIMITS.busWindowDatagrams;
  }

  add(bytes: Uint8Array, nowUs: number): void {
    const number = this.#next++;
    this.#bytes += bytes.byteLength;
    this.#sent.push({
      number,
      bytes,
      firstUs: nowUs,
      lastUs: nowUs,
      sent: 1,
      overtaken: 0,
      again: false,
      arrived: false,
    });
  }

  /**
   * The peer has all datagrams before `next`, and of those after it the ones whose bits are set.
   * `undefined` if it cannot have them.
   */
  acknowledged(
    next: number,
    bits: readonly [number, number],
    windowBytes: number,
    nowUs: number,
  ): AcknowledgementOutcome | undefined {
    if (next > this.#next) return undefined;
    this.#windowBytes = windowBytes;
    this.#arrivedOnce = false;
    this.#arrivedAgain = false;
    let provenUs: number | undefined;
    for (let { first } = this.#sent; first && first.number < next; { first } = this.#sent) {
      this.#sent.shift();
      provenUs = Math.max(provenUs ?? 0, first.firstUs);
      this.#arrived(first, nowUs);
    }
    const highest = this.#markArrived(next, bits, nowUs);
    if (highest !== undefined) provenUs = Math.max(provenUs ?? 0, highest.firstUs);
    this.#endSilence();
    return { provenUs };
  }

  /** The datagrams to be sent again now. They count as sent. */
  due(nowUs: number): Uint8Array[] {
    const due: Uint8Array[] = [];
    const oldest = this.#oldest;
    if (oldest && !this.#lost.has(oldest) && nowUs >= oldest.lastUs + this.#timeoutUs) {
      this.#silenceUs ??= nowUs;
      due.push(this.#again(oldest, nowUs));
      this.#backOff = Math.min(this.#backOff * 2, TIMEOUT_US_MAX / TIMEOUT_US_MIN);
      this.#ownWindowBytes = Math.max(LIMITS.busDatagramBytesMin, Math.floor(this.#ownWindowBytes / 2));
    }
    for (const sent of this.#overtaken.splice(0)) {
      if (!sent.arrived) due.push(this.#again(sent, nowUs));
    }
    for (const sent of this.#lost) {
      if (!this.#mayRepeat) break;
      due.push(this.#again(sent, nowUs));
    }
    return due;
  }

  /** The bus is there again: what was sent before may be lost, so all of it goes again. */
  all(nowUs: number): Uint8Array[] {
    this.#backOff = 1;
    this.#silenceUs = undefined;
    return [...this.#waiting()].map((sent) => this.#again(sent, nowUs));
  }

  /** When `due` should be asked next; `undefined` while nothing is under way. */
  get dueUs(): number | undefined {
    if (this.#overtaken.length > 0 || (this.#lost.size > 0 && this.#mayRepeat)) return 0;
    const oldest = this.#oldest;
    return oldest && oldest.lastUs + this.#timeoutUs;
  }

  /** One may always go again. */
  get #mayRepeat(): boolean {
    return this.#againBytes < this.#ownWindowBytes;
  }

  /** The first one is always one that has not arrived. */
  get #oldest(): Sent | undefined {
    return this.#sent.first;
  }

  get #timeoutUs(): number {
    const measured = this.#meanUs + 4 * this.#deviationUs;
    return Math.min(TIMEOUT_US_MAX, Math.max(TIMEOUT_US_MIN, measured) * this.#backOff);
  }

  *#waiting(): Iterable<Sent> {
    for (const sent of this.#sent) if (!sent.arrived) yield sent;
  }

  #again(sent: Sent, nowUs: number): Uint8Array {
    if (!sent.again) this.#againBytes += sent.bytes.byteLength;
    sent.again = true;
    sent.lastUs = nowUs;
    sent.sent++;
    sent.overtaken = 0;
    this.#lost.delete(sent);
    return sent.bytes;
  }

  #arrived(sent: Sent, nowUs: number): void {
    if (sent.arrived) return;
    sent.arrived = true;
    this.#bytes -= sent.bytes.byteLength;
    this.#lost.delete(sent);
    this.#noLongerAgain(sent);
    this.#backOff = 1;
    this.#ownWindowBytes = Math.min(LIMITS.busWindowBytes, this.#ownWindowBytes + sent.bytes.byteLength);
    // Of one that was sent twice nobody knows which of the two has arrived.
    if (sent.sent === 1) this.#measure(nowUs - sent.firstUs);
    this.#arrivedOnce ||= sent.sent === 1;
    this.#arrivedAgain ||= sent.sent > 1;
  }

  #noLongerAgain(sent: Sent): void {
    if (!sent.again) return;
    sent.again = false;
    this.#againBytes -= sent.bytes.byteLength;
  }

  /** If a silence has ended, it is known now what was lost before it. */
  #endSilence(): void {
    const silenceUs = this.#silenceUs;
    if (silenceUs === undefined || (!this.#arrivedOnce && !this.#arrivedAgain)) return;
    this.#silenceUs = undefined;
    if (this.#arrivedOnce) return;
    for (const sent of this.#waiting()) {
      if (sent.lastUs >= silenceUs) continue;
      this.#noLongerAgain(sent);
      this.#lost.add(sent);
    }
  }

  /** Marks what the bits say. Those before the highest of them were overtaken. */
  #markArrived(next: number, bits: readonly [number, number], nowUs: number): Sent | undefined {
    let highest: Sent | undefined;
    for (const sent of this.#sent) {
      const bit = sent.number - next - 1;
      if (bit >= 64) break;
      if (bit < 0 || (((bits[bit >> 5] ?? 0) >>> (bit & 31)) & 1) === 0) continue;
      if (!sent.arrived) highest = sent;
      this.#arrived(sent, nowUs);
    }
    if (!highest) return undefined;
    for (const sent of this.#waiting()) {
      if (sent.number > highest.number) break;
      if (++sent.overtaken === OVERTAKEN_MAX) this.#overtaken.push(sent);
    }
    return highest;
  }

  #measure(us: number): void {
    if (this.#meanUs === 0) {
      this.#meanUs = us;
      this.#deviationUs = us / 2;
      return;
    }
    this.#deviationUs += (Math.abs(us - this.#meanUs) - this.#deviationUs) / DEVIATION_PART;
    this.#meanUs += (us - this.#meanUs) / MEAN_PART;
  }
}

import type { PacketStreamParameters } from './layout.ts';
import { type Packet, PACKET_STATUS, UNASKED_TAG } from './packet.ts';
import type { PayloadDirection, StreamClosure, StreamLink } from './stream-link.ts';
import { StreamSide } from './stream-side.ts';
import type { SinkWatch, StreamTrace } from './stream-watch.ts';
import { ViewCache } from './view-cache.ts';

/**
 * The end of a packet stream that takes requests and acknowledges them, in any order.
 *
 * A request is taken only if a slot of the acknowledge queue can be kept for it, so `acknowledge`
 * never waits. What comes from the peer is copied, then checked: a packet whose payload range is
 * not inside the bulk buffer or not aligned, or whose numbers are impossible, is acknowledged as
 * `invalid` here and never seen by the server. The payload itself stays in memory that the peer may
 * change at any time: a server that decides by its content copies it first.
 */
export class PacketSink {
  readonly parameters: PacketStreamParameters;
  /** The whole bulk buffer; ranges of it are what `offset` and `size` of packets mean. */
  readonly bulk: Uint8Array;
  readonly #side: StreamSide;
  readonly #views: ViewCache;
  readonly #alignMask: number;
  /** Is told what the server serves here, if somebody watches. */
  watch: SinkWatch | undefined;
  /** Sees the packets, if the component can be traced. */
  trace: StreamTrace | undefined;
  /** Requests taken and not acknowledged: each has a slot of the acknowledge queue kept for it. */
  #inFlight = 0;
  #served = 0;
  #invalid = 0;

  /** Throws RangeError if the parameters cannot work or the link's memory is too small for them. */
  constructor(link: StreamLink, parameters: PacketStreamParameters, direction: PayloadDirection) {
    this.#side = new StreamSide('sink', link, parameters, (packet) => direction.acknowledgeBytes(packet));
    this.parameters = this.#side.memory.parameters;
    this.bulk = this.#side.memory.bulk;
    this.#views = new ViewCache(this.bulk, Math.max(parameters.alignLog2, 6));
    this.#alignMask = 2 ** parameters.alignLog2 - 1;
  }

  /** Why the stream ended, or undefined while it lives. */
  get closure(): StreamClosure | undefined {
    return this.#side.closure;
  }

  /** Requests taken and not yet acknowledged; at most `queueSlots`. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests acknowledged by the server since the stream began. */
  get served(): number {
    return this.#served;
  }

  /** Packets refused as invalid since the stream began. */
  get invalidPackets(): number {
    return this.#invalid;
  }

  /**
   * Takes the next request. False if there is none, or none can be acknowledged because the source
   * does not take its acknowledgements; the handler is called when that has changed.
   */
  next(into: Packet): boolean {
    // A queue full of malformed packets is skipped once. If the peer refills it meanwhile, the peer
    // loses the stream, and this end loses no more time.
    for (let skipped = 0; skipped <= 2 * this.parameters.queueSlots; skipped++) {
      if (!this.#side.readable() || !this.#side.writable(this.#inFlight)) return false;
      const sound = this.#side.take(into);
      into.status = PACKET_STATUS.unanswered;
      if (sound && this.#rangeSound(into)) {
        if (into.size === 0) into.offset = 0;
        this.#inFlight++;
        return true;
      }
      this.#refuse(into);
    }
    this.#side.close('invalid stream state');
    return false;
  }

  /**
   * A view on the packet's payload, used again for the same range: not to be kept after
   * `acknowledge`.
   */
  payload(packet: Packet): Uint8Array {
    return this.#views.view(packet.offset, packet.size);
  }

  /**
   * Answers a request that was taken: `packet` has the tag, range and operation with which it came,
   * and the status and length that the server sets. Travels at the next `wakeup` at the latest.
   * Throws if no request is in flight: a server that acknowledges twice is broken. Does nothing
   * after the end of the stream.
   */
  acknowledge(packet: Packet): void {
    if (this.#side.closure !== undefined) return;
    if (this.#inFlight === 0) throw new Error('acknowledgement without a request');
    this.#inFlight--;
    this.#served++;
    if (this.trace?.on) this.trace.acknowledged(packet);
    this.#side.append(packet);
  }

  /**
   * Sends an acknowledgement that answers no request. False if no slot is left beside those kept
   * for requests; the handler is called when that may have changed, and tries again before it takes
   * requests.
   */
  notify(packet: Packet): boolean {
    if (!this.#side.writable(this.#inFlight)) return false;
    packet.tag = UNASKED_TAG;
    packet.offset = 0;
    packet.size = 0;
    this.#side.append(packet);
    return true;
  }

  /**
   * Ends a batch: makes what was taken and acknowledged known to the source, with at most one
   * signal.
   */
  wakeup(): void {
    this.#side.wakeup();
  }

  /**
   * Sets the one handler for "there may be requests, or room to acknowledge". It must go on until
   * `next` is false, or come back by itself; a batch it leaves open is ended after it. If there is
   * something already it is called soon.
   */
  onWake(handler: (() => void) | undefined): void {
    this.#side.onWake(handler);
  }

  /** Sets the one handler for the end of the stream; called at once if it has ended. */
  onClosed(handler: (closure: StreamClosure) => void): void {
    this.#side.onClosed(handler);
  }

  close(): void {
    this.#side.close('closed');
  }

  /**
   * Ends the stream and lets go of its memory, if no request is in flight: the server may still
   * read the payload of one that it has not answered.
   */
  release(): void {
    if (this.#inFlight === 0) this.#side.release();
    else this.close();
  }

  #rangeSound(packet: Packet): boolean {
    if (packet.length > packet.size) return false;
    if (packet.size === 0) return true;
    const bulkBytes = this.bulk.length;
    return (
      packet.size <= bulkBytes &&
      packet.offset <= bulkBytes - packet.size &&
      (packet.offset & this.#alignMask) === 0
    );
  }

  #refuse(packet: Packet): void {
    this.#invalid++;
    packet.offset = 0;
    packet.size = 0;
    packet.length = 0;
    packet.status = PACKET_STATUS.invalid;
    this.#side.append(packet);
  }
}

import { BulkAllocator } from './bulk-allocator.ts';
import type { PacketStreamParameters } from './layout.ts';
import { type Packet, PACKET_STATUS, UNASKED_TAG } from './packet.ts';
import type { PayloadDirection, StreamClosure, StreamLink } from './stream-link.ts';
import { StreamSide } from './stream-side.ts';
import type { SourceWatch, StreamTrace } from './stream-watch.ts';
import { ViewCache } from './view-cache.ts';

/**
 * The end of a packet stream that owns the bulk buffer and submits requests.
 *
 * The source chooses the tags and remembers the bulk range of every tag, so what a peer can do with
 * an acknowledgement is to end a request of this stream, once: a tag that is not under way is
 * ignored and counted, offset and size are the source's own, nonsense in other fields makes the
 * status `invalid`.
 *
 * No method but `payload`, `allocate` and `submit` throws, and these only on wrong arguments of the
 * caller. After the stream has ended (`closure`) nothing more can be submitted or is acknowledged.
 */
export class PacketSource {
  readonly parameters: PacketStreamParameters;
  /** The whole bulk buffer; ranges of it are what `offset` and `size` of packets mean. */
  readonly bulk: Uint8Array;
  readonly #side: StreamSide;
  readonly #allocator: BulkAllocator;
  readonly #views: ViewCache;
  /** Stack of the tags that are free; #freeTags of them. */
  readonly #tags: Int32Array;
  #freeTags: number;
  /** Bulk range of each tag under way; a size of -1 stands for a tag that is free. */
  readonly #offsets: Int32Array;
  readonly #sizes: Int32Array;
  #ignored = 0;
  #acknowledged = 0;
  #watch: SourceWatch | undefined;
  /** Sees the packets, if the component can be traced. */
  trace: StreamTrace | undefined;

  /** Throws RangeError if the parameters cannot work or the link's memory is too small for them. */
  constructor(link: StreamLink, parameters: PacketStreamParameters, direction: PayloadDirection) {
    this.#side = new StreamSide('source', link, parameters, (packet) => direction.submitBytes(packet));
    this.parameters = this.#side.memory.parameters;
    this.bulk = this.#side.memory.bulk;
    this.#allocator = new BulkAllocator(parameters.bulkBytes, parameters.alignLog2);
    this.#views = new ViewCache(this.bulk, Math.max(parameters.alignLog2, 6));
    // As many tags as requests can be under way: a full submit queue, and the requests that a sink
    // may have taken and not acknowledged.
    const tags = 2 * parameters.queueSlots;
    this.#tags = Int32Array.from({ length: tags }, (_, index) => tags - 1 - index);
    this.#freeTags = tags;
    this.#offsets = new Int32Array(tags);
    this.#sizes = new Int32Array(tags).fill(-1);
  }

  /** Why the stream ended, or undefined while it lives. */
  get closure(): StreamClosure | undefined {
    return this.#side.closure;
  }

  /** The most that `allocate` can ever give. */
  get capacityBytes(): number {
    return this.#allocator.capacityBytes;
  }

  get usedBytes(): number {
    return this.#allocator.usedBytes;
  }

  /** Tags go from 0 to this, exclusively; so many requests at most are under way. */
  get tagLimit(): number {
    return this.#tags.length;
  }

  /** Requests submitted whose acknowledgement has not been taken. */
  get pending(): number {
    return this.#tags.length - this.#freeTags;
  }

  /** Requests whose acknowledgement has been taken since the stream began. */
  get served(): number {
    return this.#acknowledged;
  }

  /** Acknowledgements that answered nothing and were ignored: the peer is broken or hostile. */
  get ignoredAcknowledgements(): number {
    return this.#ignored;
  }

  /**
   * Offset of a free, aligned range of `size` (at least 1) bytes in the bulk buffer; -1: none now.
   */
  allocate(size: number): number {
    return this.#allocator.allocate(size);
  }

  /**
   * Gives a range back, when its request is acknowledged. False if no allocated range starts at
   * `offset`.
   */
  free(offset: number): boolean {
    return this.#allocator.free(offset);
  }

  /** A view on a bulk range. It is used again for the same range: do not keep it after `free`. */
  payload(offset: number, size: number): Uint8Array {
    return this.#views.view(offset, size);
  }

  /** True if `submit` would succeed; otherwise the handler is called when that may have changed. */
  ready(): boolean {
    return this.#freeTags > 0 && this.#side.writable(0);
  }

  /**
   * Queues the packet, whose payload is complete; it travels at the next `wakeup` at the latest.
   * Sets the packet's tag and its status to unanswered. False if the queue is full (what is queued
   * is sent off then) or the stream has ended; the handler is called when there is room. Throws
   * RangeError if the payload is not in the bulk buffer.
   */
  submit(packet: Packet): boolean {
    if (packet.size === 0) packet.offset = 0;
    else this.#checkRange(packet.offset, packet.size);
    if (!this.ready()) {
      this.wakeup();
      return false;
    }
    this.#freeTags--;
    const tag = this.#tags[this.#freeTags] ?? 0;
    this.#offsets[tag] = packet.offset;
    this.#sizes[tag] = packet.size;
    packet.tag = tag;
    packet.status = PACKET_STATUS.unanswered;
    this.#watch?.submitted(packet, this.payload(packet.offset, packet.size));
    if (this.trace?.on) this.trace.submitted(packet);
    this.#side.append(packet);
    return true;
  }

  /**
   * Takes the next acknowledgement: `tag` tells of which request, `offset` and `size` are those
   * submitted. An acknowledgement nobody asked for has UNASKED_TAG and no payload. False if there
   * is none; the handler is called when there is one. Bulk ranges stay allocated until they are
   * freed.
   */
  nextAcknowledged(into: Packet): boolean {
    // A queue full of malformed acknowledgements is skipped once. If the peer refills it meanwhile,
    // the peer loses the stream, and this end loses no more time.
    for (let skipped = 0; skipped <= 2 * this.parameters.queueSlots; skipped++) {
      if (!this.#side.readable()) return false;
      const sound = this.#side.take(into);
      if (this.#complete(into, sound)) {
        this.#acknowledged++;
        if (this.trace?.on) this.trace.acknowledged(into);
        this.#watch?.acknowledged(into, this.payload(into.offset, into.size));
        return true;
      }
      this.#ignored++;
    }
    this.#side.close('invalid stream state');
    return false;
  }

  /**
   * Ends a batch: makes what was submitted and taken known to the sink, with at most one signal.
   */
  wakeup(): void {
    this.#side.wakeup();
  }

  /**
   * Sets the one handler for "there may be acknowledgements, or room to submit". It must go on
   * until `nextAcknowledged` is false; a batch it leaves open is ended after it. If there is
   * something already it is called soon.
   */
  onWake(handler: (() => void) | undefined): void {
    this.#side.onWake(handler);
  }

  /** Sets the one handler for the end of the stream; called at once if it has ended. */
  onClosed(handler: (closure: StreamClosure) => void): void {
    this.#side.onClosed(handler);
  }

  /** Sets a watcher that sees every packet of this end, from the first on. */
  watchBy(watch: SourceWatch): void {
    this.#watch = watch;
    this.#side.onEnded(() => watch.closed());
  }

  close(): void {
    this.#side.close('closed');
  }

  /**
   * Ends the stream and lets go of its memory: payload reads as zeros from then on, where it was
   * shared with a process.
   */
  release(): void {
    this.#side.release();
  }

  /** Completes a request. False if the acknowledgement belongs to no request. */
  #complete(packet: Packet, sound: boolean): boolean {
    const { tag } = packet;
    if (tag === UNASKED_TAG) {
      packet.offset = 0;
      packet.size = 0;
      packet.length = 0;
      return sound;
    }
    const size = this.#sizes[tag] ?? -1;
    if (size < 0) return false;
    packet.offset = this.#offsets[tag] ?? 0;
    packet.size = size;
    if (!sound || packet.length > size) {
      packet.status = PACKET_STATUS.invalid;
      packet.length = 0;
    }
    this.#sizes[tag] = -1;
    this.#tags[this.#freeTags] = tag;
    this.#freeTags++;
    return true;
  }

  #checkRange(offset: number, size: number): void {
    const aligned = (offset & ((1 << this.parameters.alignLog2) - 1)) === 0;
    if (offset < 0 || size < 0 || offset + size > this.bulk.length || !aligned) {
      throw new RangeError('payload range is not in the bulk buffer or not aligned');
    }
  }
}

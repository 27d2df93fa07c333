import { type Carrier, PROTOCOL_BROKEN, SharedCarrier, WAIT_FOR } from './carrier.ts';
import { CopyingCarrier } from './copying-carrier.ts';
import {
  type PacketStreamParameters,
  SINK_HEAD,
  SINK_TAIL,
  SINK_WAITS,
  SOURCE_HEAD,
  SOURCE_TAIL,
  SOURCE_WAITS,
  type StreamMemory,
  streamMemory,
} from './layout.ts';
import type { Packet } from './packet.ts';
import { RingReader, RingWriter } from './ring.ts';
import type { StreamClosure, StreamLink } from './stream-link.ts';

/**
 * A long batch is published after so many packets. Fewer are not worth a signal of their own,
 * because the batch is over by then.
 */
const PART_PACKETS = 16;
/** It is also published whenever such a part of the bulk buffer has been filled. */
const PARTS_PER_BUFFER = 4;
const PART_BYTES_MIN = 64 * 1024;

/**
 * The common part of source and sink: one queue that is written, one that is read, the handler, and
 * the end of the stream.
 *
 * Wake-ups: the handler runs after this end has found its input queue empty (or its output queue
 * full) and the peer has changed that. It must go on until there is nothing left; if it stops
 * earlier it comes back by itself, because it is not called again for packets that it has not
 * looked at. A batch ends with `wakeup`, which publishes and sends at most one signal; after the
 * handler this happens by itself.
 *
 * In shared memory a long batch does not keep the peer waiting: whenever a few packets, or a
 * quarter of the bulk buffer, have been appended it is published, as by `wakeup`, and a peer that
 * sleeps is woken at once. So both ends work at the same time, on different parts of the buffer,
 * and each signal still stands for many packets.
 */
export class StreamSide {
  readonly memory: StreamMemory;
  readonly output: RingWriter;
  readonly input: RingReader;
  readonly #link: StreamLink;
  readonly #carrier: Carrier;
  readonly #fireLater = (): void => this.#fireScheduled();
  #closure: StreamClosure | undefined;
  #handler: (() => void) | undefined;
  #closedHandler: ((closure: StreamClosure) => void) | undefined;
  #endedHandler: (() => void) | undefined;
  #firing = false;
  #scheduled = false;
  /** Whether there was something to do before there was a handler. */
  #missed = false;
  /**
   * Whether the input queue was found empty since the last packet was taken. Then the carrier is
   * armed.
   */
  #foundEmpty = false;
  /** How much may be appended before it is published, and how much was. */
  readonly #partPackets: number;
  readonly #partBytes: number;
  #unpublishedPackets = 0;
  #unpublishedBytes = 0;

  constructor(
    role: 'source' | 'sink',
    link: StreamLink,
    parameters: PacketStreamParameters,
    payloadBytes: (packet: Packet) => number,
  ) {
    const memory = streamMemory(link.memory, parameters);
    const { control, submitQueue, acknowledgeQueue, bulk } = memory;
    const slots = parameters.queueSlots;
    this.memory = memory;
    // Where memory is not shared, frames are large and so are sent as rarely as possible.
    this.#partPackets = link.shared ? PART_PACKETS : Infinity;
    this.#partBytes = link.shared
      ? Math.max(PART_BYTES_MIN, parameters.bulkBytes / PARTS_PER_BUFFER)
      : Infinity;
    this.#link = link;
    if (role === 'source') {
      this.output = new RingWriter(control, SOURCE_HEAD, SINK_TAIL, submitQueue, slots);
      this.input = new RingReader(control, SINK_HEAD, SOURCE_TAIL, acknowledgeQueue, slots);
    } else {
      this.output = new RingWriter(control, SINK_HEAD, SOURCE_TAIL, acknowledgeQueue, slots);
      this.input = new RingReader(control, SOURCE_HEAD, SINK_TAIL, submitQueue, slots);
    }
    const source = role === 'source';
    if (link.shared) {
      const ownWaitsAt = source ? SOURCE_WAITS : SINK_WAITS;
      this.#carrier = new SharedCarrier(link, control, ownWaitsAt, source ? SINK_WAITS : SOURCE_WAITS);
    } else {
      const sideMemory = {
        control,
        peerHeadAt: source ? SINK_HEAD : SOURCE_HEAD,
        peerTailAt: source ? SINK_TAIL : SOURCE_TAIL,
        outputQueue: source ? submitQueue : acknowledgeQueue,
        inputQueue: source ? acknowledgeQueue : submitQueue,
        bulk,
      };
      this.#carrier = new CopyingCarrier(link, sideMemory, this.output, this.input, payloadBytes);
    }
    link.receive = (frame) => this.#receive(frame);
    link.closed = () => this.#peerClosed();
  }

  get closure(): StreamClosure | undefined {
    return this.#closure;
  }

  /** True if a packet can be taken; otherwise the handler runs when that has changed. */
  readable(): boolean {
    if (this.#closure !== undefined) return false;
    if (this.input.used > 0 || this.#moreInput()) return true;
    this.#foundEmpty = true;
    this.#carrier.arm(WAIT_FOR.packets);
    return this.#moreInput();
  }

  /**
   * True if one packet and `reserved` more can be appended; otherwise the handler runs when they
   * may.
   */
  writable(reserved: number): boolean {
    if (this.#closure !== undefined) return false;
    const limit = this.output.slots - reserved;
    if (this.output.used < limit || this.#moreRoom(limit)) return true;
    this.#carrier.arm(WAIT_FOR.room);
    return this.#moreRoom(limit);
  }

  /** Takes a packet. The caller has checked `readable`. */
  take(into: Packet): boolean {
    this.#foundEmpty = false;
    return this.input.take(into);
  }

  /**
   * Adds a packet to the batch. The caller has checked `writable`, or has kept a slot, so there is
   * room.
   */
  append(packet: Packet): void {
    this.output.append(packet);
    this.#unpublishedPackets++;
    this.#unpublishedBytes += packet.size;
    if (this.#unpublishedPackets >= this.#partPackets || this.#unpublishedBytes >= this.#partBytes) {
      this.#publish();
      this.#link.hurry?.();
    }
  }

  /** Ends a batch: publishes, and signals the peer if it waits for that. */
  wakeup(): void {
    if (this.#closure !== undefined) return;
    if (!this.#firing) this.#watchDrained();
    if (this.#closure !== undefined) return;
    this.#publish();
  }

  /** Makes everything so far visible to the peer, and signals it if it waits for that. */
  #publish(): void {
    this.#unpublishedPackets = 0;
    this.#unpublishedBytes = 0;
    let news: number = WAIT_FOR.nothing;
    if (this.output.publish()) news |= WAIT_FOR.packets;
    if (this.input.publish()) news |= WAIT_FOR.room;
    this.#carrier.wakeup(news);
  }

  /**
   * Sets the one handler for everything that there may be to do; `undefined` removes it. It runs
   * soon if there is something to do already.
   */
  onWake(handler: (() => void) | undefined): void {
    this.#handler = handler;
    if (handler === undefined) return;
    if (this.readable() || this.#missed) this.#schedule();
    this.#missed = false;
  }

  /** Called once when the stream ends, at once if it has ended. */
  onClosed(handler: (closure: StreamClosure) => void): void {
    this.#closedHandler = handler;
    if (this.#closure !== undefined) handler(this.#closure);
  }

  /** For a watcher: the handler is called at the end, before any other. */
  onEnded(handler: () => void): void {
    this.#endedHandler = handler;
  }

  close(closure: StreamClosure): void {
    if (this.#closure !== undefined) return;
    this.#closure = closure;
    this.#handler = undefined;
    if (closure !== 'peer gone') this.#link.close();
    this.#endedHandler?.();
    this.#closedHandler?.(closure);
  }

  /**
   * Ends the stream, and gives up its memory. If that was shared with another process, views read
   * zeros from then on.
   */
  release(): void {
    this.close('closed');
    this.#link.release();
  }

  #moreInput(): boolean {
    if (!this.input.refresh()) this.close('invalid stream state');
    return this.#closure === undefined && this.input.used > 0;
  }

  #moreRoom(limit: number): boolean {
    if (!this.output.refresh()) this.close('invalid stream state');
    return this.#closure === undefined && this.output.used < limit;
  }

  /**
   * If the last packet was taken without looking for one more, this end would not be called for the
   * next packet.
   */
  #watchDrained(): void {
    if (this.#handler === undefined || this.#foundEmpty || this.input.used > 0) return;
    if (this.readable()) this.#schedule();
  }

  #receive(frame: Uint8Array): void {
    if (this.#closure !== undefined) return;
    const news = this.#carrier.receive(frame);
    if (news === PROTOCOL_BROKEN) this.close('invalid stream state');
    else if (news !== WAIT_FOR.nothing) this.#fire();
    // Credit that a peer waits for goes out even if there was nothing to do.
    this.wakeup();
  }

  /** Packets that the peer published before it closed are still handed over. */
  #peerClosed(): void {
    if (this.#closure !== undefined) return;
    this.#fire();
    this.close('peer gone');
  }

  /**
   * Runs the handler soon, in a turn of its own, so that it is never called while it is being
   * registered.
   */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    void Promise.resolve().then(this.#fireLater);
  }

  #fireScheduled(): void {
    this.#scheduled = false;
    this.#fire();
  }

  #fire(): void {
    const handler = this.#handler;
    if (handler === undefined) {
      this.#missed = true;
      return;
    }
    if (this.#firing) {
      this.#schedule();
      return;
    }
    this.#firing = true;
    try {
      handler();
    } finally {
      this.#firing = false;
      this.wakeup();
    }
  }
}

/**
 * The loop of a server over one packet stream: takes packets out of it, a number of them at a time,
 * and acknowledges each when its own operation has ended. What an operation is belongs to the
 * server above.
 */
import type { Packet } from './packet.ts';
import type { PacketSink } from './packet-sink.ts';

/**
 * The working data of a server for one packet that is under way. It is used for one packet after
 * the other.
 */
export interface ServedPacket {
  readonly packet: Packet;
}

/** How a server carries out packets. */
export interface PacketServing<Served extends ServedPacket> {
  /** Makes the working data for one more packet. */
  make(): Served;
  /**
   * Begins the operation. It ends by `PacketService.end`, which is called once, perhaps before this
   * returns. The result `'later'` says that the operation cannot begin now, and has not: the packet
   * stays first in line, and nothing behind it is taken. It is offered again when another operation
   * has ended, and after `PacketService.retry`.
   */
  begin(sink: PacketSink, served: Served): 'later' | void;
  /**
   * Sends what answers no request, as far as there are slots for it (`PacketSink.notify`). It is
   * called before packets are taken, and soon after `PacketService.notify`.
   */
  notices?(sink: PacketSink): void;
}

/**
 * The server's loop over a packet stream: takes packets as they arrive, has their operations begun,
 * and acknowledges each with its status when its operation has ended, in whatever order that is.
 */
export class PacketService<Served extends ServedPacket> {
  readonly #serving: PacketServing<Served>;
  readonly #underWayMax: number;
  readonly #free: Served[] = [];
  readonly #flush = (): void => this.#flushBatch();
  #sink: PacketSink | undefined;
  #underWay = 0;
  /** The packet that was taken and could not begin. */
  #held: Served | undefined;
  #taking = false;
  #flushScheduled = false;
  #idle: (() => void) | undefined;

  /**
   * At most `underWayMax` packets are under way; the slots of the stream's queues are a bound
   * already.
   */
  constructor(serving: PacketServing<Served>, underWayMax = Number.POSITIVE_INFINITY) {
    this.#serving = serving;
    this.#underWayMax = Math.max(1, underWayMax);
  }

  /** Starts to serve. A service has one stream. */
  serve(sink: PacketSink): void {
    this.#sink = sink;
    sink.onWake(() => this.#take());
  }

  /** Operations that have begun and not ended, with one that is about to begin. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Takes nothing more; settles when the operations that are under way have ended. */
  async close(): Promise<void> {
    this.#held = undefined;
    this.#sink?.close();
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#sink?.watch?.done();
  }

  /** The operation on a packet has ended. */
  end(served: Served, status: number, length: number): void {
    const { packet } = served;
    this.#underWay--;
    packet.status = status;
    packet.length = length;
    this.#sink?.acknowledge(packet);
    this.#free.push(served);
    if (this.#underWay === 0) this.#idle?.();
    if (!this.#taking) this.#scheduleFlush();
  }

  /** There is something to be sent that answers no request: has `notices` called soon. */
  notify(): void {
    this.#scheduleFlush();
  }

  /** An operation that could not begin may be able to now: has it offered again soon. */
  retry(): void {
    if (this.#held !== undefined) this.#scheduleFlush();
  }

  /**
   * Takes the packets that are there. They are no more than the acknowledge queue holds, even if
   * all of them are answered at once and the client goes on submitting: acknowledgements travel
   * when this turn is over, and no packet is taken without a slot for its acknowledgement.
   */
  #take(): void {
    const sink = this.#sink;
    if (sink === undefined || this.#taking) return;
    this.#taking = true;
    this.#serving.notices?.(sink);
    while (this.#underWay < this.#underWayMax) {
      const served = this.#next(sink);
      if (served === undefined) break;
      this.#underWay++;
      if (this.#serving.begin(sink, served) === 'later') {
        this.#underWay--;
        // The stream may have ended meanwhile: nobody waits for it then.
        if (sink.closure === undefined) this.#held = served;
        break;
      }
    }
    this.#taking = false;
  }

  /** The packet that is next in line, if there is one. */
  #next(sink: PacketSink): Served | undefined {
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      return held;
    }
    const served = this.#free.pop() ?? this.#serving.make();
    if (sink.next(served.packet)) return served;
    this.#free.push(served);
    return undefined;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    void Promise.resolve().then(this.#flush);
  }

  /** Sends the answers of one turn together, and takes what they made room for. */
  #flushBatch(): void {
    this.#flushScheduled = false;
    this.#take();
    this.#sink?.wakeup();
  }
}

import { Packet, UNASKED_TAG } from './packet.ts';
import type { PacketSource } from './packet-source.ts';
import type { StreamClosure } from './stream-link.ts';

/**
 * Prepares a request: fills in the packet's fields (not tag, offset, size) and the payload it
 * sends.
 */
export type PrepareRequest = (packet: Packet, payload: Uint8Array) => void;

/**
 * Makes the result of an acknowledged request; the payload is valid only during the call. May
 * throw.
 */
export type CompleteRequest<Result> = (packet: Packet, payload: Uint8Array) => Result;

/** How a queue of requests over a packet stream behaves. */
export interface PacketRequestsOptions {
  /** Makes the error for every request that the end of the stream leaves unanswered. */
  readonly closedError: (closure: StreamClosure) => Error;
  /** Takes acknowledgements that answer no request. The packet is used again afterwards. */
  readonly unasked?: (packet: Packet) => void;
  /** Requests under way at a time, at most; default: as many as the stream carries. */
  readonly inFlightMax?: number;
  /** Requests that wait for room, at most; more are rejected. Default 65536. */
  readonly waitingMax?: number;
}

const WAITING_MAX_DEFAULT = 65536;

/** A request from `perform` until it is settled; `next` links those that wait. */
interface Request {
  readonly size: number;
  readonly prepare: PrepareRequest;
  /** Settles the promise from the acknowledgement; called once, or `reject` is. */
  readonly complete: CompleteRequest<void>;
  readonly reject: (reason: unknown) => void;
  next: Request | undefined;
}

/**
 * Requests with one promise each over a packet source, which belongs to it entirely. Requests start
 * in the order in which they were asked for: one that needs more bulk space than is free holds back
 * those behind it, so none starves. Every promise settles: with what `complete` made of the
 * acknowledgement, or with `closedError` when the stream ends. Requests made in one turn are sent
 * in one batch after it.
 */
export class PacketRequests {
  readonly #source: PacketSource;
  readonly #options: PacketRequestsOptions;
  readonly #inFlightMax: number;
  /**
   * One packet for each direction, because `complete` may submit the next request while it reads
   * its packet.
   */
  readonly #submitted = new Packet();
  readonly #acknowledged = new Packet();
  readonly #underWay: (Request | undefined)[];
  readonly #flush = (): void => this.#flushBatch();
  #inFlight = 0;
  /**
   * Whether a `prepare` runs. A request that it makes has to wait until it is done with the packet.
   */
  #preparing = false;
  #firstWaiting: Request | undefined;
  #lastWaiting: Request | undefined;
  #waiting = 0;
  #flushScheduled = false;

  constructor(source: PacketSource, options: PacketRequestsOptions) {
    this.#source = source;
    this.#options = options;
    this.#inFlightMax = Math.max(1, Math.min(options.inFlightMax ?? source.tagLimit, source.tagLimit));
    this.#underWay = Array.from({ length: source.tagLimit });
    source.onClosed((closure) => this.#rejectAll(closure));
    source.onWake(() => this.#onWake());
  }

  /** Requests submitted and not yet answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests that wait for a slot or for bulk space. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Performs one request with a payload range of `size` bytes (0 for none). `prepare` is called
   * once there is room, perhaps at once; `complete` on the acknowledgement, whatever its status.
   * Rejects with what they throw, with RangeError if `size` can never fit, with `closedError`.
   */
  perform<Result>(size: number, prepare: PrepareRequest, complete: CompleteRequest<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#enter({
        size,
        prepare,
        complete: (packet, payload) => resolve(complete(packet, payload)),
        reject,
        next: undefined,
      });
    });
  }

  /** Ends the stream; what is under way or waits is rejected. */
  close(): void {
    this.#source.close();
  }

  #enter(request: Request): void {
    const { closure } = this.#source;
    if (closure !== undefined) {
      request.reject(this.#options.closedError(closure));
    } else if (!(request.size >= 0 && request.size <= this.#source.capacityBytes)) {
      request.reject(
        new RangeError(`request of ${request.size} bytes does not fit the stream's bulk buffer`),
      );
    } else if (this.#preparing || this.#waiting > 0 || !this.#start(request)) {
      this.#enqueue(request);
    } else {
      this.#startWaiting();
      this.#scheduleFlush();
    }
  }

  #enqueue(request: Request): void {
    const { closure } = this.#source;
    if (closure !== undefined) {
      // The stream was found to be broken while room was looked for.
      request.reject(this.#options.closedError(closure));
    } else if (this.#waiting >= (this.#options.waitingMax ?? WAITING_MAX_DEFAULT)) {
      request.reject(new RangeError('too many requests wait for the packet stream'));
    } else {
      if (this.#lastWaiting === undefined) this.#firstWaiting = request;
      else this.#lastWaiting.next = request;
      this.#lastWaiting = request;
      this.#waiting++;
    }
  }

  /** False if the request has to wait. */
  #start(request: Request): boolean {
    const source = this.#source;
    if (this.#inFlight >= this.#inFlightMax || !source.ready()) return false;
    const { size } = request;
    const offset = size > 0 ? source.allocate(size) : 0;
    if (offset < 0) return false;
    const packet = this.#submitted.clear();
    this.#preparing = true;
    try {
      request.prepare(packet, source.payload(offset, size));
    } catch (error) {
      if (size > 0) source.free(offset);
      request.reject(error);
      return true;
    } finally {
      this.#preparing = false;
    }
    packet.offset = offset;
    packet.size = size;
    this.#submit(packet, request);
    return true;
  }

  #submit(packet: Packet, request: Request): void {
    if (this.#source.submit(packet)) {
      this.#underWay[packet.tag] = request;
      this.#inFlight++;
      return;
    }
    // There was room a moment ago, so only `prepare` can have ended the stream meanwhile.
    const closure = this.#source.closure;
    if (closure === undefined) throw new Error('a ready packet source refused a packet');
    request.reject(this.#options.closedError(closure));
  }

  #startWaiting(): void {
    let request = this.#firstWaiting;
    while (request !== undefined && this.#start(request)) {
      // The end of the stream may have emptied the queue meanwhile.
      if (this.#firstWaiting === request) {
        this.#firstWaiting = request.next;
        if (this.#firstWaiting === undefined) this.#lastWaiting = undefined;
        this.#waiting--;
      }
      request = this.#firstWaiting;
    }
  }

  #onWake(): void {
    const packet = this.#acknowledged;
    while (this.#source.nextAcknowledged(packet)) {
      const request = packet.tag === UNASKED_TAG ? undefined : this.#underWay[packet.tag];
      if (request === undefined) this.#options.unasked?.(packet);
      else this.#settle(request, packet);
    }
    this.#startWaiting();
  }

  #settle(request: Request, packet: Packet): void {
    const { tag, offset, size } = packet;
    this.#underWay[tag] = undefined;
    this.#inFlight--;
    try {
      request.complete(packet, this.#source.payload(offset, size));
    } catch (error) {
      request.reject(error);
    }
    if (size > 0) this.#source.free(offset);
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    void Promise.resolve().then(this.#flush);
  }

  #flushBatch(): void {
    this.#flushScheduled = false;
    this.#source.wakeup();
  }

  #rejectAll(closure: StreamClosure): void {
    const waiting = this.#firstWaiting;
    this.#firstWaiting = undefined;
    this.#lastWaiting = undefined;
    this.#waiting = 0;
    this.#inFlight = 0;
    for (const [tag, request] of this.#underWay.entries()) {
      this.#underWay[tag] = undefined;
      request?.reject(this.#options.closedError(closure));
    }
    for (let request = waiting; request !== undefined; request = request.next) {
      request.reject(this.#options.closedError(closure));
    }
  }
}

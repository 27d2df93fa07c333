/**
 * The link of two nodes, for one epoch: datagrams over an unreliable bus become channels in order,
 * whole, once, and bounded. It takes and gives sealed datagrams; the handshake that made its keys,
 * and the bus, are its owner's business. docs/cluster.md describes the protocol.
 */
import { assert, PeerGone } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { Arrivals } from './arrivals.ts';
import type { BusClock } from './bus-clock.ts';
import { DatagramKind, readU53, SEALED_OVERHEAD_BYTES, viewOf, writeU53 } from './datagram.ts';
import type { EpochKeys } from './handshake.ts';
import { Lease, type LeaseStanding } from './lease.ts';
import type { LinkChannel } from './link-channel.ts';
import { LinkChannels, type LinkSide } from './link-channels.ts';
import {
  type Acknowledgement,
  ACKNOWLEDGEMENT_BYTES,
  readAcknowledgement,
  RecordWriter,
  writeAcknowledgement,
} from './records.ts';
import { SentDatagrams } from './sent-datagrams.ts';

const STATE_BYTES = ACKNOWLEDGEMENT_BYTES + 8 + 8 + 4;
/** The flags of a state: an answer is wanted; the sender leaves. */
const ASKS = 1;
const LEAVES = 2;
/** How long an acknowledgement waits for a datagram that takes it along. */
const ACKNOWLEDGE_US = 20_000;
/** So many bytes that have come are acknowledged at once. */
const ACKNOWLEDGE_BYTES = LIMITS.busWindowBytes / 8;
const ACKNOWLEDGE_DATAGRAMS = LIMITS.busWindowDatagrams / 8;

/** What a link works with. */
export interface LinkParts {
  readonly side: LinkSide;
  readonly keys: EpochKeys;
  readonly leaseUs: number;
  /** The longest datagram of either end, and the peer's window. */
  readonly datagramBytes: number;
  readonly windowBytes: number;
  readonly clock: BusClock;
  /** Whether the bus is connected, as far as the node knows. */
  readonly connected: () => boolean;
  /** Hands a datagram to the bus. It does not change any more. */
  readonly transmit: (datagram: Uint8Array) => void;
  /** The peer opens a channel; the result says why it is not wanted. */
  readonly opened: (ticket: Uint8Array, channel: LinkChannel) => string | undefined;
  /** The first datagram has come that only the peer can have sealed; it is taken after that. */
  readonly confirmed: () => void;
  /** The link has ended. `violation` says how the peer broke the protocol, if it did. */
  readonly ended: (reason: string, violation: string | undefined) => void;
}

/** One end of a link. */
export class NodeLink {
  readonly #parts: LinkParts;
  readonly #lease: Lease;
  readonly #channels: LinkChannels;
  readonly #sent: SentDatagrams;
  readonly #arrivals = new Arrivals();
  readonly #writer: RecordWriter;
  #nextState = 1;
  /** The highest number of a state datagram of the peer's, and whether it is to be echoed now. */
  #peerState = 0;
  #answerDue = false;
  /** Since when something is not acknowledged, and how much. */
  #unacknowledgedSinceUs: number | undefined;
  #unacknowledgedBytes = 0;
  #unacknowledgedDatagrams = 0;
  #acknowledgeNow = false;
  #pumping = false;
  /** A responder says nothing before it knows that the initiator is no replay. */
  #silent: boolean;
  #cancelTimer: (() => void) | undefined;
  #timerUs = Number.POSITIVE_INFINITY;
  #ended = false;

  constructor(parts: LinkParts) {
    assert(parts.datagramBytes >= LIMITS.busDatagramBytesMin, 'no datagram is too short for a record');
    this.#parts = parts;
    const nowUs = parts.clock.nowUs();
    this.#lease = new Lease(parts.leaseUs, nowUs);
    this.#sent = new SentDatagrams(parts.windowBytes);
    this.#writer = new RecordWriter(parts.datagramBytes - SEALED_OVERHEAD_BYTES);
    this.#channels = new LinkChannels(parts.side, {
      ready: () => this.#pumpSoon(),
      opened: (ticket, channel) => parts.opened(ticket, channel),
    });
    this.#silent = parts.side === 'responder';
    this.#sendState(nowUs, ASKS);
    this.#setTimer();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The number of open channels. */
  get channels(): number {
    return this.#channels.size;
  }

  /** Whether the link may be used at the moment. */
  get standing(): LeaseStanding {
    return this.#ended ? 'over' : this.#lease.standing(this.#parts.clock.nowUs());
  }

  /**
   * Opens a channel for what the ticket says to the peer. Frames may be sent at once. Throws
   * `LimitExceeded`, and `PeerGone` if the link has ended.
   */
  open(ticket: Uint8Array): LinkChannel {
    // The link may have ended since somebody was told that it is up.
    if (this.#ended) throw new PeerGone('the link to the node has ended', 'no');
    return this.#channels.open(ticket);
  }

  /**
   * Takes a sealed datagram of this epoch. True if it is new, and was sealed by the peer; all
   * others are dropped.
   */
  receive(kind: number, number: number, bytes: Uint8Array): boolean {
    if (this.#ended) return false;
    if (kind === DatagramKind.state) return this.#receiveState(number, bytes);
    return kind === DatagramKind.data && this.#receiveData(number, bytes);
  }

  /** The node has found the bus again: whatever was under way may be lost. */
  busBack(): void {
    if (this.#ended) return;
    const nowUs = this.#parts.clock.nowUs();
    if (!this.#look(nowUs)) return;
    for (const datagram of this.#sent.all(nowUs)) this.#parts.transmit(datagram);
    this.#sendState(nowUs, ASKS);
    this.#pumpSoon();
  }

  /** Ends the link because this node leaves, and says so. */
  leave(): void {
    if (this.#ended) return;
    const nowUs = this.#parts.clock.nowUs();
    if (this.#look(nowUs)) this.#sendState(nowUs, LEAVES);
    this.end('this node has left the bus');
  }

  /** Ends the link. The peer learns of it when its lease ends, or by the next handshake. */
  end(reason: string, violation?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer?.();
    this.#channels.end(reason);
    this.#parts.ended(reason, violation);
  }

  #violated(what: string): void {
    this.end('the node broke the protocol of links', what);
  }

  #confirm(): void {
    if (!this.#silent) return;
    this.#silent = false;
    this.#parts.confirmed();
  }

  #receiveState(number: number, bytes: Uint8Array): boolean {
    // An older one says nothing new, and one that was overheard and sent again must not count.
    if (number <= this.#peerState) return false;
    const body = this.#parts.keys.incoming.open(DatagramKind.state, number, bytes);
    if (!body) return false;
    this.#peerState = number;
    this.#confirm();
    if (body.byteLength !== STATE_BYTES) {
      this.#violated('a malformed state');
      return true;
    }
    const view = viewOf(body);
    const at = ACKNOWLEDGEMENT_BYTES;
    this.#lease.echoed(readU53(view, at));
    const bits = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)] as const;
    if (!this.#acknowledged(body, bits)) return true;
    const flags = view.getUint32(at + 16, true);
    if ((flags & LEAVES) !== 0) {
      this.end('its node has left');
      return true;
    }
    if ((flags & ASKS) !== 0) this.#answerDue = true;
    this.#afterNews();
    return true;
  }

  #receiveData(number: number, bytes: Uint8Array): boolean {
    if (!this.#arrivals.wants(number, bytes.byteLength)) {
      // It has come before: the acknowledgement may be lost.
      this.#unacknowledgedSinceUs ??= this.#parts.clock.nowUs();
      this.#setTimer();
      return false;
    }
    const body = this.#parts.keys.incoming.open(DatagramKind.data, number, bytes);
    if (!body) return false;
    this.#confirm();
    if (!this.#acknowledged(body, [0, 0])) return true;
    const nowUs = this.#parts.clock.nowUs();
    if (!this.#look(nowUs)) return true;
    this.#lease.heard(nowUs);
    this.#unacknowledgedSinceUs ??= nowUs;
    this.#unacknowledgedBytes += bytes.byteLength;
    this.#unacknowledgedDatagrams++;
    const gapBefore = this.#arrivals.gap;
    this.#arrivals.add(number, body);
    if (this.#arrivals.gap || gapBefore) this.#acknowledgeNow = true;
    this.#takeArrived();
    this.#afterNews();
    return true;
  }

  #takeArrived(): void {
    for (let body = this.#arrivals.take(); body; body = this.#arrivals.take()) {
      const fault = this.#channels.take(body, () => !this.#ended);
      if (fault !== undefined) this.#violated(fault);
      if (this.#ended) return;
    }
  }

  /** Takes the acknowledgement of a body. False if the link has ended by that. */
  #acknowledged(body: Uint8Array, bits: readonly [number, number]): boolean {
    const nowUs = this.#parts.clock.nowUs();
    const acknowledgement = readAcknowledgement(body);
    const outcome =
      acknowledgement &&
      this.#sent.acknowledged(acknowledgement.next, bits, acknowledgement.windowBytes, nowUs);
    if (!outcome) {
      this.#violated('an acknowledgement of what was not sent');
      return false;
    }
    if (outcome.provenUs !== undefined) this.#lease.proven(outcome.provenUs);
    return true;
  }

  /** Something authentic has come: whatever that allows is done now. */
  #afterNews(): void {
    if (this.#ended) return;
    const nowUs = this.#parts.clock.nowUs();
    if (!this.#look(nowUs)) return;
    this.#lease.heard(nowUs);
    this.#sendAgain(nowUs);
    this.#pumpSoon();
  }

  get #maySend(): boolean {
    return !this.#silent && this.#parts.connected();
  }

  /** Looks at the lease. False if this end may do nothing at the moment, or nothing any more. */
  #look(nowUs: number): boolean {
    const standing = this.#lease.standing(nowUs);
    if (standing === 'over') this.end('its node does not answer any more');
    return standing === 'held';
  }

  #pumpSoon(): void {
    if (this.#pumping || this.#ended) return;
    this.#pumping = true;
    this.#parts.clock.soon(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  /** Sends whatever may go. */
  #pump(): void {
    if (this.#ended) return;
    const nowUs = this.#parts.clock.nowUs();
    if (this.#look(nowUs) && this.#maySend) {
      while (this.#channels.hasWork && this.#sent.open && !this.#ended) this.#sendData(nowUs);
      if (this.#ended) return;
      const urgent =
        this.#acknowledgeNow ||
        this.#unacknowledgedBytes >= ACKNOWLEDGE_BYTES ||
        this.#unacknowledgedDatagrams >= ACKNOWLEDGE_DATAGRAMS;
      if (this.#answerDue || urgent) this.#sendState(nowUs, 0);
    }
    this.#setTimer();
  }

  #sendData(nowUs: number): void {
    const writer = this.#writer;
    writer.begin(this.#acknowledgement());
    this.#channels.fill(writer);
    if (this.#ended) return;
    // Whoever has work has written some of it; otherwise the link would go round here for ever.
    assert(!writer.empty || !this.#channels.hasWork, 'a datagram has room for every record');
    if (writer.empty) return;
    const datagram = this.#parts.keys.outgoing.close(DatagramKind.data, this.#sent.next, writer.body);
    this.#sent.add(datagram, nowUs);
    this.#parts.transmit(datagram);
    // What has a gap is told by a state datagram only.
    if (!this.#arrivals.gap) this.#acknowledgementSent();
  }

  #sendAgain(nowUs: number): void {
    if (!this.#maySend) return;
    for (const datagram of this.#sent.due(nowUs)) this.#parts.transmit(datagram);
  }

  #sendState(nowUs: number, flags: number): void {
    if (!this.#maySend) return;
    const number = this.#nextState++;
    const body = new Uint8Array(STATE_BYTES);
    const view = viewOf(body);
    writeAcknowledgement(view, this.#acknowledgement());
    const at = ACKNOWLEDGEMENT_BYTES;
    writeU53(view, at, this.#peerState);
    const [low, high] = this.#arrivals.bits;
    view.setUint32(at + 8, low, true);
    view.setUint32(at + 12, high, true);
    view.setUint32(at + 16, flags, true);
    this.#lease.sending(number, nowUs, flags === ASKS);
    this.#answerDue = false;
    this.#acknowledgementSent();
    this.#parts.transmit(this.#parts.keys.outgoing.close(DatagramKind.state, number, body));
  }

  #acknowledgement(): Acknowledgement {
    return { next: this.#arrivals.next, windowBytes: LIMITS.busWindowBytes };
  }

  #acknowledgementSent(): void {
    this.#unacknowledgedSinceUs = undefined;
    this.#unacknowledgedBytes = 0;
    this.#unacknowledgedDatagrams = 0;
    this.#acknowledgeNow = false;
  }

  /** Something is due: the link looks what it is. */
  #turn(): void {
    this.#cancelTimer = undefined;
    this.#timerUs = Number.POSITIVE_INFINITY;
    if (this.#ended) return;
    const nowUs = this.#parts.clock.nowUs();
    if (this.#look(nowUs) && this.#maySend) {
      this.#sendAgain(nowUs);
      const asks = nowUs >= this.#lease.askUs;
      const owes = this.#unacknowledgedSinceUs;
      if (asks || (owes !== undefined && nowUs >= owes + ACKNOWLEDGE_US))
        this.#sendState(nowUs, asks ? ASKS : 0);
    }
    if (!this.#ended) this.#setTimer();
  }

  /** When the link has to do something though nothing comes. */
  #nextUs(): number {
    const nextUs = this.#lease.nextChangeUs;
    if (this.standing !== 'held' || !this.#maySend) return nextUs;
    const owedUs = (this.#unacknowledgedSinceUs ?? Number.POSITIVE_INFINITY) + ACKNOWLEDGE_US;
    return Math.min(nextUs, this.#lease.askUs, owedUs, this.#sent.dueUs ?? Number.POSITIVE_INFINITY);
  }

  /** An earlier timer stays: when it comes, the link looks again. */
  #setTimer(): void {
    if (this.#ended) return;
    const nextUs = this.#nextUs();
    if (this.#timerUs <= nextUs && this.#timerUs > this.#parts.clock.nowUs()) return;
    this.#cancelTimer?.();
    this.#timerUs = nextUs;
    const waitUs = Math.max(0, nextUs - this.#parts.clock.nowUs());
    this.#cancelTimer = this.#parts.clock.after(waitUs, () => this.#turn());
  }
}

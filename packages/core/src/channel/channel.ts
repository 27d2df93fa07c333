/**
 * A channel: everything that two components say to each other. Calls and their answers, signals,
 * capabilities that are passed and released, and the frames of packet streams go over one carrier.
 * Either end may die at any time; then every pending call of the other end rejects with `PeerGone`.
 *
 * A capability is passed as an index: into the sender's table (mine), into the receiver's (yours),
 * or, when its object lives in a third component (theirs), as an introduction. For an introduction
 * the sender asks the supervisor, and the supervisor asks the owner. The owner puts the object into
 * the table of its own channel with the receiver, and says so there. The sender keeps its own
 * reference until the supervisor has answered, so that the object cannot vanish on the way.
 */
import {
  HeldReference,
  type ImportingChannel,
  type Reference,
  RemoteReference,
} from '../capability/reference.ts';
import { PeerGone, unreachable } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import { LIMITS } from '../limits.ts';
import { type MemorySharing, SHARES_NO_MACHINE } from '../memory/shared-memory.ts';
import type { CallOutcome } from './call-table.ts';
import type { Carrier, SharedMemory } from './carrier.ts';
import { ChannelStreams } from './channel-streams.ts';
import { DeferredFrames } from './deferred-frames.ts';
import { type Exported, ExportTable, type ObjectAccount } from './export-table.ts';
import { FrameKind, IncomingFrame } from './frame.ts';
import { MessageSender } from './message-sender.ts';
import type { TableChannel } from './message-tables.ts';
import { PlacedCalls } from './placed-calls.ts';
import { SentSignals } from './sent-signals.ts';
import { type CallsOwner, ServedCalls } from './served-calls.ts';

/** The number of the supervisor as a component. */
export const SUPERVISOR_ID = 0;

/** The parts of its component that a channel works with. */
export interface ChannelOwner extends CallsOwner {
  /**
   * A number for the introduction of an object of `owner`'s. `more` others are in the same message.
   * Throws `LimitExceeded`.
   */
  announce(owner: number, more: number): number;
  /**
   * Asks the supervisor to introduce entry `index` of `via`'s table to the component `to`, as
   * `number`. Settles when it has answered.
   */
  introduce(number: number, via: number, index: number, to: number): Promise<void>;
  /** The component `giver` has announced a capability that `owner` will introduce to us. */
  expectIntroduction(giver: number, number: number, owner: number): Reference;
  /** `owner` has introduced the object that `giver` has announced as `number`. */
  introduced(giver: number, number: number, reference: Reference, owner: number): void;
  /** The account that pays for objects of ours that peers hold. */
  readonly objects: ObjectAccount;
  /** The channel has ended. `violation` says how the peer broke the protocol, if it did. */
  channelClosed(channel: Channel, violation: string | undefined): void;
}

const NOT_PENDING = 'answered a call that is not pending';

/** One is enough, because a frame is taken apart and finished before any other code runs. */
const incoming = new IncomingFrame();

/** One end of the channel to `peer`. */
export class Channel implements ImportingChannel, TableChannel {
  readonly peer: number;
  readonly exports: ExportTable;
  readonly streams: ChannelStreams;
  readonly #owner: ChannelOwner;
  readonly #carrier: Carrier;
  readonly #imports = new Map<number, RemoteReference>();
  readonly #sender: MessageSender;
  readonly #placed: PlacedCalls;
  readonly #served: ServedCalls;
  readonly #signals: SentSignals;
  readonly #deferred = new DeferredFrames();

  constructor(peer: number, carrier: Carrier, owner: ChannelOwner) {
    this.peer = peer;
    this.#owner = owner;
    this.#carrier = carrier;
    this.exports = new ExportTable(owner.objects);
    this.#sender = new MessageSender(carrier, this);
    this.#placed = new PlacedCalls(this, this.#sender, owner);
    this.#served = new ServedCalls(this, this.#sender, owner, peer !== SUPERVISOR_ID);
    this.#signals = new SentSignals((index) => this.#sender.send(FrameKind.signal, index));
    this.streams = new ChannelStreams(
      peer,
      (kind, id, side, payload) => this.#sender.send(kind, id, side, 0, payload),
      () => carrier.hurry?.(),
    );
  }

  /** Begins to take frames. The tables must be ready by now. */
  start(): void {
    this.#carrier.closed((reason) => this.close(reason));
    this.#carrier.receive((bytes, memory) => this.#receive(bytes, memory));
  }

  get closed(): boolean {
    return this.#sender.closed !== undefined;
  }

  /** The number of our calls that wait for the peer's answer. */
  get pendingCalls(): number {
    return this.#placed.size;
  }

  /** The number of the peer's objects that we hold. */
  get importedObjects(): number {
    return this.#imports.size;
  }

  /** A reference to an entry of the peer's table, which the peer has passed once more. */
  import(index: number): Reference {
    let remote = this.#imports.get(index);
    if (!remote) {
      if (this.#imports.size >= LIMITS.importsPerChannel) this.#violated('passed too many capabilities');
      remote = new RemoteReference(this, index);
      if (!this.closed) this.#imports.set(index, remote);
    }
    remote.received++;
    return new HeldReference(remote);
  }

  invoke(reference: RemoteReference, operation: OperationPlan, args: readonly unknown[]): Promise<unknown> {
    return this.#placed.invoke(reference, operation, args);
  }

  nextAnswer(): Promise<void> | undefined {
    return this.#placed.nextAnswer();
  }

  place(
    reference: RemoteReference,
    operation: OperationPlan,
    args: readonly unknown[],
    outcome: CallOutcome,
  ): void {
    this.#placed.place(reference, operation, args, outcome);
  }

  submitSignal(index: number): void {
    if (this.#owner.tracer.on) this.#owner.tracer.signalSubmit(this.peer, index);
    if (!this.closed && !this.#signals.submit(index)) this.#violated('takes no signals');
  }

  releaseImport(reference: RemoteReference): void {
    if (reference.holders > 0 || reference.pins > 0) return;
    if (this.#imports.get(reference.index) !== reference) return;
    this.#imports.delete(reference.index);
    if (this.closed) return;
    this.#sender.send(FrameKind.release, reference.index, reference.received);
  }

  /**
   * The owner's part of an introduction: puts `target` into the table for the peer, and says that
   * it is what `giver` has announced as `number`.
   */
  introduceTo(giver: number, number: number, target: Exported): void {
    if (this.#sender.closed) throw this.#sender.closed;
    this.#sender.send(FrameKind.introduction, giver, number, this.exports.add(target));
  }

  get abroad(): boolean {
    return this.sharing === SHARES_NO_MACHINE;
  }

  get sharing(): MemorySharing {
    return this.#carrier.sharing;
  }

  announce(owner: number, more: number): number {
    return this.#owner.announce(owner, more);
  }

  introduce(number: number, remote: RemoteReference): Promise<void> {
    return this.#owner.introduce(number, remote.channel.peer, remote.index, this.peer);
  }

  expectIntroduction(number: number, owner: number): Reference {
    return this.#owner.expectIntroduction(this.peer, number, owner);
  }

  /** Closes the channel at both ends. Every pending call rejects. */
  close(reason = 'the peer is gone', violation?: string): void {
    if (this.closed) return;
    // For whatever is not handed over yet.
    const gone = new PeerGone(reason, 'no');
    this.#sender.end(gone);
    this.#carrier.close(violation !== undefined);
    this.#placed.end(gone);
    // Capabilities that lead to the peer may live on, but there is nothing behind them any more.
    this.exports.clear();
    this.#imports.clear();
    this.#signals.clear();
    this.#deferred.clear();
    this.#served.end();
    this.streams.end();
    this.#owner.channelClosed(this, violation);
  }

  #violated(what: string): void {
    this.close('the peer broke the channel protocol', what);
  }

  /** Callers have been told of answers that came while the thread waited in a synchronous call. */
  answersTaken(): void {
    this.#placed.answersTaken();
  }

  /** Takes the frames that were put aside while the thread waited in a synchronous call. */
  resume(): void {
    for (let next = this.#deferred.shift(); next; next = this.#deferred.shift()) {
      this.#take(next.frame, next.memory);
      if (this.#owner.waitsSynchronously) return;
    }
  }

  #receive(bytes: Uint8Array, memory: SharedMemory): void {
    if (this.closed) return;
    if (this.#deferred.size === 0 && !this.#owner.waitsSynchronously) this.#take(bytes, memory);
    else if (this.peer === SUPERVISOR_ID || isAwaited(bytes)) this.#take(bytes, memory);
    else if (!this.#deferred.push(bytes, memory))
      this.#violated('sends more than it may while nobody listens');
  }

  #take(bytes: Uint8Array, memory: SharedMemory): void {
    if (this.closed) return;
    const fault = incoming.open(bytes);
    if (fault === undefined) this.#dispatch(incoming, memory);
    else this.#violated(fault);
  }

  #dispatch(frame: IncomingFrame, memory: SharedMemory): void {
    switch (frame.kind) {
      case FrameKind.call:
      case FrameKind.tracedCall:
        if (!this.#served.receive(frame, memory)) this.#violated('too many calls in flight');
        return;
      case FrameKind.result:
        if (this.peer !== SUPERVISOR_ID) this.#owner.completed++;
        if (!this.#placed.receiveResult(frame, memory)) this.#violated(NOT_PENDING);
        return;
      case FrameKind.failure:
        if (this.peer !== SUPERVISOR_ID) this.#owner.completed++;
        if (!this.#placed.receiveFailure(frame)) this.#violated(NOT_PENDING);
        return;
      case FrameKind.release:
        if (!this.exports.release(frame.first, frame.second)) this.#violated('released what it did not hold');
        return;
      case FrameKind.signal:
        return this.#receiveSignal(frame.first);
      case FrameKind.signalTaken:
        if (!this.#signals.taken(frame.first)) this.#violated('took a signal that was not sent');
        return;
      case FrameKind.introduction:
        return this.#owner.introduced(frame.first, frame.second, this.import(frame.third), this.peer);
      case FrameKind.stream:
        return this.streams.deliver(frame.first, frame.second === 0, frame.payload);
      case FrameKind.streamClosed:
        return this.streams.closedByPeer(frame.first, frame.second === 0);
      default:
        return unreachable(frame.kind);
    }
  }

  #receiveSignal(index: number): void {
    const target = this.exports.get(index);
    if (this.#owner.tracer.on) this.#owner.tracer.signalReceived(this.peer, index);
    if (target?.kind === 'signal') target.submit();
    this.#sender.send(FrameKind.signalTaken, index);
  }
}

/** Whether somebody who waits in a synchronous call may be waiting for this frame. */
function isAwaited(frame: Uint8Array): boolean {
  const kind = frame[0];
  return kind === FrameKind.result || kind === FrameKind.failure || kind === FrameKind.introduction;
}

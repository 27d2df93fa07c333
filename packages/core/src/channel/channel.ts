/**
 * A channel: everything that two components say to each other. Calls and their answers, signals, capabilities that
 * are passed and released, and the frames of packet streams, over one carrier. Either end may die at any time;
 * then every pending call of the other end rejects with `PeerGone`.
 *
 * A capability is passed as an index: into the sender's table (mine), into the receiver's (yours), or, when its
 * object lives in a third component (theirs), as an introduction. For the last the sender asks core, which asks the
 * owner, and the owner puts the object into the table of its own channel with the receiver and says so there. The
 * sender keeps its own reference until core has answered, so the object cannot vanish on the way.
 */
import { RefusedCall } from '../capability/exported-object.ts';
import {
  HeldReference,
  type ImportingChannel,
  type Reference,
  RemoteReference,
  type ResultCheck,
} from '../capability/reference.ts';
import { PeerGone, RpcError, unreachable } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { CallTable, type PendingCall } from './call-table.ts';
import type { Carrier, SharedMemory } from './carrier.ts';
import { ChannelStreams } from './channel-streams.ts';
import { type Exported, ExportTable } from './export-table.ts';
import { decodeFrame, encodeFrame, type Frame, FrameKind, type FrameWords } from './frame.ts';
import { decodeMessage, encodeMessage } from './message.ts';
import { IncomingEntries, NOTHING_CARRIED, type TableChannel } from './message-tables.ts';
import { OutgoingEntries } from './outgoing-entries.ts';

/** What a channel needs of the component it belongs to. */
export interface ChannelOwner {
  /** A number for an object of `owner`'s that is being passed on. Throws `LimitExceeded`. */
  announce(owner: number, more: number): number;
  /** Asks core to introduce it, entry `index` of `via`'s table, to the component `to`; settles when it has answered. */
  introduce(number: number, via: number, index: number, to: number): Promise<void>;
  /** The component `giver` has announced a capability; `owner` will introduce it to us. */
  expectIntroduction(giver: number, number: number, owner: number): Reference;
  /** `owner` has introduced it. */
  introduced(giver: number, number: number, reference: Reference, owner: number): void;
  /** The channel is at its end; `violation` if the peer broke the protocol. */
  channelClosed(channel: Channel, violation: string | undefined): void;
}

interface SignalState {
  again: boolean;
}

const NO_MEMORY: SharedMemory = [];

/** One end of the channel to `peer`. */
export class Channel implements ImportingChannel, TableChannel {
  readonly peer: number;
  readonly exports = new ExportTable();
  readonly streams: ChannelStreams;
  readonly #owner: ChannelOwner;
  readonly #carrier: Carrier;
  readonly #imports = new Map<number, RemoteReference>();
  readonly #calls = new CallTable();
  readonly #outgoing: OutgoingEntries;
  readonly #waiting: (() => void)[] = [];
  readonly #signals = new Map<number, SignalState>();
  /** Calls of the peer that are not answered yet. */
  #serving = 0;
  #closed: PeerGone | undefined;

  constructor(peer: number, carrier: Carrier, owner: ChannelOwner) {
    this.peer = peer;
    this.#owner = owner;
    this.#carrier = carrier;
    this.streams = new ChannelStreams((frame) => this.#carrier.send(frame, NO_MEMORY));
    this.#outgoing = new OutgoingEntries(this);
  }

  /** Starts to take frames; the tables must be ready by now. */
  start(): void {
    this.#carrier.closed(() => this.close());
    this.#carrier.receive((bytes, memory) => this.#receive(bytes, memory));
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Calls that wait for the peer's answer. */
  get pendingCalls(): number {
    return this.#calls.size + this.#waiting.length;
  }

  /** Objects of the peer that we hold. */
  get importedObjects(): number {
    return this.#imports.size;
  }

  /** A reference to an entry of the peer's table, received once more. */
  import(index: number): Reference {
    let remote = this.#imports.get(index);
    if (!remote) {
      if (this.#imports.size >= LIMITS.importsPerChannel) this.#violated('passed too many capabilities');
      remote = new RemoteReference(this, index);
      if (!this.#closed) this.#imports.set(index, remote);
    }
    remote.received++;
    return new HeldReference(remote);
  }

  invoke(
    reference: RemoteReference,
    operation: string,
    args: readonly unknown[],
    check: ResultCheck | undefined,
  ): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#calls.full) return this.#invokeLater(reference, operation, args, check);
    return new Promise((resolve, reject) => {
      const id = this.#calls.add({ resolve, reject, check });
      const failed = (error: Error): void => this.#settle(id)?.reject(error);
      this.#post(FrameKind.call, id, reference.index, [operation, ...args], failed);
    });
  }

  submitSignal(index: number): void {
    if (this.#closed) return;
    const state = this.#signals.get(index);
    if (state) {
      state.again = true;
      return;
    }
    if (this.#signals.size >= LIMITS.importsPerChannel) return this.#violated('takes no signals');
    this.#signals.set(index, { again: false });
    this.#send(FrameKind.signal, { first: index });
  }

  releaseImport(reference: RemoteReference): void {
    if (reference.holders > 0 || reference.pins > 0) return;
    if (this.#imports.get(reference.index) !== reference) return;
    this.#imports.delete(reference.index);
    if (this.#closed) return;
    this.#send(FrameKind.release, { first: reference.index, second: reference.received });
  }

  /** As the owner of `target`: gives the peer what `giver` announced to it as `number`. */
  introduceTo(giver: number, number: number, target: Exported): void {
    if (this.#closed) throw this.#closed;
    const third = this.exports.add(target);
    this.#send(FrameKind.introduction, { first: giver, second: number, third });
  }

  get sharesMemory(): boolean {
    return this.#carrier.sharesMemory;
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

  /** Ends the channel at both ends. Every pending call rejects. */
  close(reason = 'the peer is gone', violation?: string): void {
    if (this.#closed) return;
    this.#closed = new PeerGone(reason);
    this.#carrier.close();
    for (const call of this.#calls.takeAll()) call.reject(this.#closed);
    for (const wake of this.#waiting.splice(0)) wake();
    // Capabilities that lead here may live on; what was behind the channel does not.
    this.exports.clear();
    this.#imports.clear();
    this.#signals.clear();
    this.streams.end();
    this.#owner.channelClosed(this, violation);
  }

  #violated(what: string): void {
    this.close('the peer broke the channel protocol', what);
  }

  async #invokeLater(
    reference: RemoteReference,
    operation: string,
    args: readonly unknown[],
    check: ResultCheck | undefined,
  ): Promise<unknown> {
    if (this.#waiting.length >= LIMITS.callsWaiting) {
      throw new RpcError('LimitExceeded', 'too many calls wait for this peer');
    }
    while (!this.#closed && this.#calls.full)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.invoke(reference, operation, args, check);
  }

  #settle(id: number): PendingCall | undefined {
    const call = this.#calls.take(id);
    this.#waiting.shift()?.();
    return call;
  }

  #send(kind: FrameKind, words: FrameWords): void {
    this.#carrier.send(encodeFrame(kind, words), NO_MEMORY);
  }

  /** Sends a message, at once unless it carries a capability that is still being introduced to us. */
  #post(
    kind: FrameKind,
    first: number,
    second: number,
    value: unknown,
    failed: (error: Error) => void,
  ): void {
    if (this.#closed) return failed(this.#closed);
    const table = this.#outgoing;
    table.reset();
    try {
      const payload = encodeMessage(value, table);
      if (table.unresolved) {
        void this.#postLater(kind, first, second, payload.slice(), failed);
      } else {
        this.#transmit(kind, first, second, payload);
      }
    } catch (error) {
      table.takeBack();
      failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #transmit(kind: FrameKind, first: number, second: number, payload: Uint8Array): void {
    const table = this.#outgoing;
    const frame = encodeFrame(kind, { first, second }, payload, table.entries);
    if (frame.byteLength > LIMITS.messageBytes) {
      throw new RpcError('LimitExceeded', `a message of ${frame.byteLength} bytes is too long`);
    }
    this.#carrier.send(frame, table.memory);
    table.sent();
  }

  async #postLater(
    kind: FrameKind,
    first: number,
    second: number,
    payload: Uint8Array,
    failed: (error: Error) => void,
  ): Promise<void> {
    const table = this.#outgoing;
    const waiting = table.putAside();
    // A call of the peer whose answer has to wait is not answered: it counts on.
    const serving = kind === FrameKind.call ? 0 : 1;
    this.#serving += serving;
    await Promise.allSettled(waiting.pending.map(({ reference }) => reference.settled));
    this.#serving -= serving;
    table.takeUp(waiting);
    try {
      if (this.#closed) throw this.#closed;
      table.complete(waiting);
      this.#transmit(kind, first, second, payload);
    } catch (error) {
      table.takeBack();
      failed(error instanceof Error ? error : new PeerGone());
    } finally {
      table.letGo(waiting);
    }
  }

  #receive(bytes: Uint8Array, memory: SharedMemory): void {
    if (this.#closed) return;
    const frame = decodeFrame(bytes);
    if (typeof frame === 'string') this.#violated(frame);
    else this.#dispatch(frame, memory);
  }

  #dispatch(frame: Frame, memory: SharedMemory): void {
    switch (frame.kind) {
      case FrameKind.call:
        return this.#receiveCall(frame, memory);
      case FrameKind.result:
        return this.#receiveResult(frame, memory);
      case FrameKind.failure:
        return this.#receiveFailure(frame);
      case FrameKind.release:
        if (!this.exports.release(frame.first, frame.second)) this.#violated('released what it did not hold');
        return;
      case FrameKind.signal:
        return this.#receiveSignal(frame.first);
      case FrameKind.signalTaken:
        return this.#receiveSignalTaken(frame.first);
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

  #receiveCall(frame: Frame, memory: SharedMemory): void {
    if (this.#serving >= LIMITS.callsInFlight) return this.#violated('too many calls in flight');
    const id = frame.first;
    const table = this.#table(frame, memory);
    try {
      const message = this.#decode(frame, table);
      const target = this.exports.get(frame.second);
      if (!Array.isArray(message) || typeof message[0] !== 'string') return this.#violated('malformed call');
      if (target?.kind !== 'object') throw new RefusedCall('Revoked', 'no such object');
      const result = target.dispatch(message[0], message.slice(1));
      if (result instanceof Promise) this.#answerLater(id, result);
      else this.#answer(id, result);
    } catch (error) {
      if (error instanceof RefusedCall) table.giveBack();
      this.#answerFailure(id, error);
    }
  }

  #answerLater(id: number, result: Promise<unknown>): void {
    this.#serving++;
    result.then(
      (value) => {
        this.#serving--;
        this.#answer(id, value);
      },
      (error: unknown) => {
        this.#serving--;
        this.#answerFailure(id, error);
      },
    );
  }

  #answer(id: number, value: unknown): void {
    this.#post(FrameKind.result, id, 0, value, (error) => this.#answerFailure(id, error));
  }

  #answerFailure(id: number, error: unknown): void {
    if (this.#closed) return;
    const known = error instanceof RpcError ? error : new RpcError('InternalError', 'the call failed');
    const reason = known.message.slice(0, LIMITS.reasonBytes);
    this.#post(FrameKind.failure, id, 0, [known.code, reason], () => {});
  }

  #table(frame: Frame, memory: SharedMemory): IncomingEntries | typeof NOTHING_CARRIED {
    return frame.entries.length === 0 ? NOTHING_CARRIED : new IncomingEntries(this, frame, memory);
  }

  #decode(frame: Frame, table: IncomingEntries | typeof NOTHING_CARRIED): unknown {
    try {
      return decodeMessage(frame.payload, table);
    } catch (error) {
      table.giveBack();
      throw error;
    }
  }

  #receiveResult(frame: Frame, memory: SharedMemory): void {
    const call = this.#settle(frame.first);
    if (!call) return this.#violated('answered a call that is not pending');
    const table = this.#table(frame, memory);
    try {
      const value = this.#decode(frame, table);
      call.resolve(call.check ? call.check(value) : value);
    } catch (error) {
      table.giveBack();
      call.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #receiveFailure(frame: Frame): void {
    const call = this.#settle(frame.first);
    if (!call) return this.#violated('answered a call that is not pending');
    let content: unknown;
    try {
      content = decodeMessage(frame.payload, NOTHING_CARRIED);
    } catch {
      content = undefined;
    }
    const [code, message]: unknown[] = Array.isArray(content) ? content : [];
    const text = typeof message === 'string' ? message.slice(0, LIMITS.reasonBytes) : undefined;
    if (code === 'PeerGone') call.reject(new PeerGone(text));
    else
      call.reject(
        new RpcError(typeof code === 'string' ? code.slice(0, LIMITS.nameBytes) : 'InternalError', text),
      );
  }

  #receiveSignal(index: number): void {
    const target = this.exports.get(index);
    if (target?.kind === 'signal') target.submit();
    this.#send(FrameKind.signalTaken, { first: index });
  }

  #receiveSignalTaken(index: number): void {
    const state = this.#signals.get(index);
    if (!state) return this.#violated('took a signal that was not sent');
    this.#signals.delete(index);
    if (state.again) this.submitSignal(index);
  }
}

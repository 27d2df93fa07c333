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
import type { ExportedObject } from '../capability/exported-object.ts';
import {
  HeldReference,
  type ImportingChannel,
  type Reference,
  RemoteReference,
} from '../capability/reference.ts';
import { PeerGone, RpcError, unreachable } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import { ShapeError } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';
import { giveBackReader, type MessageReader, takeReader } from '../message/reader.ts';
import { giveBackWriter, HEADER_BYTES, type MessageWriter, takeWriter } from '../message/writer.ts';
import { answeredError, malformedAnswer } from './answer-errors.ts';
import { type CallOutcome, CallTable, type PendingCall } from './call-table.ts';
import type { Carrier, SharedMemory } from './carrier.ts';
import { ChannelStreams } from './channel-streams.ts';
import { type Exported, ExportTable, type ObjectAccount } from './export-table.ts';
import { DeferredFrames } from './deferred-frames.ts';
import { finishFrame, FrameKind, IncomingFrame } from './frame.ts';
import { IncomingEntries, type TableChannel } from './message-tables.ts';
import { OutgoingEntries } from './outgoing-entries.ts';

/** The component id of core. */
export const CORE_ID = 0;

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
  /** Pays for our objects that peers hold. */
  readonly objects: ObjectAccount;
  /** Calls of anybody that this component is working on. */
  served: number;
  /** Whether its thread waits in a synchronous call: only answers and introductions are taken, the rest later. */
  readonly waitsSynchronously: boolean;
  /** The channel is at its end; `violation` if the peer broke the protocol. */
  channelClosed(channel: Channel, violation: string | undefined): void;
}

interface SignalState {
  again: boolean;
}

/** A message of ours as it is sent: the words of its frame, and what becomes of it. */
interface Outgoing {
  readonly kind: FrameKind;
  readonly first: number;
  readonly second: number;
  readonly third: number;
  /** Told when it has left, if it had to wait. */
  readonly left: (() => void) | undefined;
  readonly failed: (error: Error) => void;
}

const NO_MEMORY: SharedMemory = [];

/** Frames are taken apart one at a time, and done with before anybody else's code runs. */
const incoming = new IncomingFrame();

/** One end of the channel to `peer`. */
export class Channel implements ImportingChannel, TableChannel {
  readonly peer: number;
  readonly exports: ExportTable;
  readonly streams: ChannelStreams;
  readonly #owner: ChannelOwner;
  readonly #carrier: Carrier;
  readonly #imports = new Map<number, RemoteReference>();
  readonly #calls = new CallTable();
  readonly #waiting: (() => void)[] = [];
  readonly #signals = new Map<number, SignalState>();
  /** Calls of the peer whose answer has not left yet: one that takes no answers cannot make us keep more and more. */
  #serving = 0;
  readonly #makeTable = (): OutgoingEntries => new OutgoingEntries(this);
  readonly #answered = (): void => {
    this.#serving--;
    this.#owner.served--;
  };
  readonly #deferred = new DeferredFrames();
  #closed: PeerGone | undefined;

  constructor(peer: number, carrier: Carrier, owner: ChannelOwner) {
    this.peer = peer;
    this.#owner = owner;
    this.#carrier = carrier;
    this.exports = new ExportTable(owner.objects);
    this.streams = new ChannelStreams((kind, id, side, payload) => this.#send(kind, id, side, 0, payload));
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

  invoke(reference: RemoteReference, operation: OperationPlan, args: readonly unknown[]): Promise<unknown> {
    if (this.#calls.size >= LIMITS.callsPipelined && this.#owner.served === 0) {
      return this.#invokeLater(reference, operation, args);
    }
    return new Promise((resolve, reject) => this.place(reference, operation, args, { resolve, reject }));
  }

  place(
    reference: RemoteReference,
    operation: OperationPlan,
    args: readonly unknown[],
    outcome: CallOutcome,
  ): void {
    if (this.#closed) return outcome.reject(this.#closed);
    if (this.#calls.full) {
      return outcome.reject(new RpcError('LimitExceeded', 'too many calls of this peer are under way'));
    }
    const { resolve, reject } = outcome;
    const id = this.#calls.add({ resolve, reject, operation });
    const failed = (error: Error): void => this.#settle(id)?.reject(operation.refusal(error));
    this.#post(
      {
        kind: FrameKind.call,
        first: id,
        second: reference.index,
        third: operation.key,
        left: undefined,
        failed,
      },
      (writer) => operation.writeArguments(writer, args),
    );
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
    this.#send(FrameKind.signal, index);
  }

  releaseImport(reference: RemoteReference): void {
    if (reference.holders > 0 || reference.pins > 0) return;
    if (this.#imports.get(reference.index) !== reference) return;
    this.#imports.delete(reference.index);
    if (this.#closed) return;
    this.#send(FrameKind.release, reference.index, reference.received);
  }

  /** As the owner of `target`: gives the peer what `giver` announced to it as `number`. */
  introduceTo(giver: number, number: number, target: Exported): void {
    if (this.#closed) throw this.#closed;
    this.#send(FrameKind.introduction, giver, number, this.exports.add(target));
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
    this.#deferred.clear();
    this.#owner.served -= this.#serving;
    this.#serving = 0;
    this.streams.end();
    this.#owner.channelClosed(this, violation);
  }

  #violated(what: string): void {
    this.close('the peer broke the channel protocol', what);
  }

  async #invokeLater(
    reference: RemoteReference,
    operation: OperationPlan,
    args: readonly unknown[],
  ): Promise<unknown> {
    if (this.#waiting.length >= LIMITS.callsWaiting) {
      throw new RpcError('LimitExceeded', 'too many calls wait for this peer');
    }
    while (!this.#closed && this.#calls.size >= LIMITS.callsPipelined)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return new Promise((resolve, reject) => this.place(reference, operation, args, { resolve, reject }));
  }

  #settle(id: number): PendingCall | undefined {
    const call = this.#calls.take(id);
    this.#waiting.shift()?.();
    return call;
  }

  /** Sends a frame that carries nothing. */
  #send(kind: FrameKind, first: number, second = 0, third = 0, payload?: Uint8Array): void {
    const writer = takeWriter();
    if (payload) writer.raw(payload);
    this.#carrier.send(finishFrame(writer, kind, first, second, third), NO_MEMORY);
    giveBackWriter(writer);
  }

  /** Sends a message, at once unless it carries a capability that is still being introduced to us. */
  #post(message: Outgoing, write: (writer: MessageWriter) => void): void {
    if (this.#closed) return message.failed(this.#closed);
    const writer = takeWriter(this.#makeTable);
    try {
      write(writer);
      // What was written may have ended the channel: a getter is code like any other.
      if (this.#closed) throw this.#closed;
      const table = this.#tableOf(writer);
      if (table?.unresolved) void this.#postLater(message, writer.payload().slice(), table);
      else this.#transmit(message, writer, table);
    } catch (error) {
      this.#tableOf(writer)?.takeBack();
      message.failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      giveBackWriter(writer);
    }
  }

  #tableOf({ table }: MessageWriter): OutgoingEntries | undefined {
    return table instanceof OutgoingEntries ? table : undefined;
  }

  #transmit(message: Outgoing, writer: MessageWriter, table: OutgoingEntries | undefined): void {
    const { kind, first, second, third, left } = message;
    const frame = finishFrame(writer, kind, first, second, third, table?.entries);
    if (frame.byteLength > LIMITS.messageBytes) {
      throw new RpcError('LimitExceeded', `a message of ${frame.byteLength} bytes is too long`);
    }
    const waits = this.#carrier.send(frame, table?.memory ?? NO_MEMORY, left);
    if (!waits) left?.();
    table?.sent();
  }

  async #postLater(message: Outgoing, payload: Uint8Array, table: OutgoingEntries): Promise<void> {
    const letGo = table.hold();
    await table.resolved();
    const writer = takeWriter();
    try {
      if (this.#closed) throw this.#closed;
      table.complete();
      writer.raw(payload);
      this.#transmit(message, writer, table);
    } catch (error) {
      table.takeBack();
      message.failed(error instanceof Error ? error : new PeerGone());
    } finally {
      giveBackWriter(writer);
      letGo();
    }
  }

  /** Takes what was put aside while the thread waited in a synchronous call. */
  resume(): void {
    for (let next = this.#deferred.shift(); next; next = this.#deferred.shift()) {
      this.#take(next.frame, next.memory);
      if (this.#owner.waitsSynchronously) return;
    }
  }

  #receive(bytes: Uint8Array, memory: SharedMemory): void {
    if (this.#closed) return;
    if (this.#deferred.size === 0 && !this.#owner.waitsSynchronously) this.#take(bytes, memory);
    else if (this.peer === CORE_ID || isAwaited(bytes)) this.#take(bytes, memory);
    else if (!this.#deferred.push(bytes, memory))
      this.#violated('sends more than it may while nobody listens');
  }

  #take(bytes: Uint8Array, memory: SharedMemory): void {
    if (this.#closed) return;
    const fault = incoming.open(bytes);
    if (fault === undefined) this.#dispatch(incoming, memory);
    else this.#violated(fault);
  }

  #dispatch(frame: IncomingFrame, memory: SharedMemory): void {
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

  #receiveCall(frame: IncomingFrame, memory: SharedMemory): void {
    if (this.#serving >= LIMITS.callsInFlight) return this.#violated('too many calls in flight');
    this.#serving++;
    this.#owner.served++;
    const { first: id, second: index, third: key } = frame;
    const table = this.#incomingEntries(frame, memory);
    try {
      const target = this.exports.get(index);
      if (target?.kind !== 'object') throw new RpcError('Revoked', 'no such object');
      const operation = target.operation(key);
      const args = this.#readArguments(frame, target, operation, table);
      const result = target.invoke(operation, args);
      if (result instanceof Promise) this.#answerLater(id, target, operation, result);
      else this.#answer(id, target, operation, result);
    } catch (error) {
      table?.giveBackUnseen();
      this.#answerFailure(id, error);
    }
  }

  #readArguments(
    frame: IncomingFrame,
    target: ExportedObject,
    operation: OperationPlan,
    table: IncomingEntries | undefined,
  ): readonly unknown[] {
    const reader = this.#reader(frame, table);
    try {
      const args = operation.readArguments(reader);
      table?.seen();
      return args;
    } catch (error) {
      throw target.declaredError(error, operation);
    } finally {
      giveBackReader(reader);
    }
  }

  #reader(frame: IncomingFrame, table?: IncomingEntries): MessageReader {
    const reader = takeReader();
    reader.begin(frame.bytes, HEADER_BYTES, frame.payloadEnd, table);
    return reader;
  }

  #answerLater(id: number, target: ExportedObject, operation: OperationPlan, result: Promise<unknown>): void {
    result.then(
      (value) => this.#answer(id, target, operation, value),
      (error: unknown) => this.#answerFailure(id, error),
    );
  }

  #answer(id: number, target: ExportedObject, operation: OperationPlan, value: unknown): void {
    const failed = (error: Error): void => {
      const fault = error instanceof ShapeError ? target.internalError(error, operation) : error;
      this.#answerFailure(id, fault);
    };
    this.#post(
      { kind: FrameKind.result, first: id, second: 0, third: 0, left: this.#answered, failed },
      (writer) => operation.writeResult(writer, value),
    );
  }

  #answerFailure(id: number, error: unknown): void {
    const known = error instanceof RpcError ? error : new RpcError('InternalError', 'the call failed');
    this.#post(
      { kind: FrameKind.failure, first: id, second: 0, third: 0, left: this.#answered, failed: () => {} },
      (writer) => {
        writer.text(known.code);
        writer.text(known.message.slice(0, LIMITS.reasonBytes));
      },
    );
  }

  #incomingEntries({ entries }: IncomingFrame, memory: SharedMemory): IncomingEntries | undefined {
    return entries.length === 0 ? undefined : new IncomingEntries(this, entries, memory);
  }

  #receiveResult(frame: IncomingFrame, memory: SharedMemory): void {
    const call = this.#settle(frame.first);
    if (!call) return this.#violated('answered a call that is not pending');
    const table = this.#incomingEntries(frame, memory);
    const reader = this.#reader(frame, table);
    try {
      const value = call.operation.readResult(reader);
      if (call.resolve(value) !== false) table?.seen();
      else table?.giveBackUnseen();
    } catch (error) {
      table?.giveBackUnseen();
      call.reject(malformedAnswer(error));
    } finally {
      giveBackReader(reader);
    }
  }

  #receiveFailure(frame: IncomingFrame): void {
    const call = this.#settle(frame.first);
    if (!call) return this.#violated('answered a call that is not pending');
    const reader = this.#reader(frame);
    try {
      const code = reader.text().slice(0, LIMITS.nameBytes);
      const text = reader.text();
      call.reject(answeredError(code, text, call.operation));
    } catch {
      call.reject(new RpcError('InternalError', 'the answer is malformed'));
    } finally {
      giveBackReader(reader);
    }
  }

  #receiveSignal(index: number): void {
    const target = this.exports.get(index);
    if (target?.kind === 'signal') target.submit();
    this.#send(FrameKind.signalTaken, index);
  }

  #receiveSignalTaken(index: number): void {
    const state = this.#signals.get(index);
    if (!state) return this.#violated('took a signal that was not sent');
    this.#signals.delete(index);
    if (state.again) this.submitSignal(index);
  }
}

/** Whether a frame is what somebody waits for in a synchronous call. */
function isAwaited(frame: Uint8Array): boolean {
  const kind = frame[0];
  return kind === FrameKind.result || kind === FrameKind.failure || kind === FrameKind.introduction;
}

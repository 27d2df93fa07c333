/**
 * Our calls to the peer. Any number of them is under way, up to a bound. Beyond it, calls wait for
 * their turn, except while we are serving somebody ourselves, because the answers may be waiting
 * for that.
 */
import type { RemoteReference } from '../capability/reference.ts';
import { PeerGone, RpcError } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import { LIMITS } from '../limits.ts';
import { giveBackReader } from '../message/reader.ts';
import { answeredError, malformedAnswer } from './answer-errors.ts';
import { type CallOutcome, CallTable, type PendingCall } from './call-table.ts';
import type { SharedMemory } from './carrier.ts';
import { FrameKind, type IncomingFrame } from './frame.ts';
import type { MessageSender } from './message-sender.ts';
import { entriesOf, readerOf, type TableChannel } from './message-tables.ts';
import type { TraceContext } from '../trace/event.ts';
import type { MessageWriter } from '../message/writer.ts';
import type { CallsOwner } from './served-calls.ts';

/** The calls to one peer. */
export class PlacedCalls {
  readonly #channel: TableChannel & { readonly peer: number };
  readonly #sender: MessageSender;
  readonly #owner: Readonly<CallsOwner>;
  readonly #calls = new CallTable();
  readonly #waiting: (() => void)[] = [];
  /** Functions to call when one of the calls is answered. */
  #onAnswer: (() => void)[] = [];
  /** Bytes of long calls that are not answered yet. */
  #bytes = 0;
  /**
   * Bytes of long answers whose callers cannot go on, because the thread waits in a synchronous
   * call.
   */
  #bytesAside = 0;

  constructor(
    channel: TableChannel & { readonly peer: number },
    sender: MessageSender,
    owner: Readonly<CallsOwner>,
  ) {
    this.#channel = channel;
    this.#sender = sender;
    this.#owner = owner;
  }

  /** The number of calls that are not answered yet. */
  get size(): number {
    return this.#calls.size + this.#waiting.length;
  }

  /** Whether so much is under way that further calls must wait. */
  get #crowded(): boolean {
    return this.#calls.size >= LIMITS.callsPipelined || this.#bytes >= LIMITS.callBytesPipelined;
  }

  /**
   * Settles when one of the calls is answered or will never be; `undefined` if there is no call.
   */
  nextAnswer(): Promise<void> | undefined {
    if (this.#calls.size === 0) return undefined;
    return new Promise((resolve) => this.#onAnswer.push(resolve));
  }

  /** Calls an operation when it is this call's turn. */
  invoke(reference: RemoteReference, operation: OperationPlan, args: readonly unknown[]): Promise<unknown> {
    if (this.#crowded && this.#owner.served === 0) {
      return this.#invokeLater(reference, operation, args);
    }
    return new Promise((resolve, reject) => this.place(reference, operation, args, { resolve, reject }));
  }

  /** Calls an operation at once. The outcome is told while frames are being received. */
  place(
    reference: RemoteReference,
    operation: OperationPlan,
    args: readonly unknown[],
    outcome: CallOutcome,
  ): void {
    if (this.#sender.closed) return outcome.reject(this.#sender.closed);
    if (this.#calls.full) {
      return outcome.reject(new RpcError('LimitExceeded', 'too many calls of this peer are under way'));
    }
    if (this.#bytes >= LIMITS.callBytesInFlight) {
      return outcome.reject(
        new RpcError('LimitExceeded', 'too many bytes of calls of this peer are under way'),
      );
    }
    const { resolve, reject, synchronous } = outcome;
    const { tracer } = this.#owner;
    const context = tracer.on ? tracer.call(operation, args, this.#channel.peer) : undefined;
    const call = { resolve, reject, synchronous, operation, bytes: 0, handedOver: false, context };
    const id = this.#calls.add(call);
    const failed = (error: Error): void => {
      const refused = this.#settle(id);
      if (refused) this.#rejected(refused, operation.refusal(error));
    };
    const bytes = this.#sender.post(
      {
        kind: context ? FrameKind.tracedCall : FrameKind.call,
        first: id,
        second: reference.index,
        third: operation.key,
        left: () => {
          call.handedOver = true;
        },
        failed,
      },
      (writer) => {
        if (context) writeContext(writer, context);
        operation.writeArguments(writer, args);
      },
    );
    if (context) tracer.callSize(bytes);
    if (bytes < LIMITS.countedMessageBytes) return;
    call.bytes = bytes;
    this.#bytes += bytes;
  }

  async #invokeLater(
    reference: RemoteReference,
    operation: OperationPlan,
    args: readonly unknown[],
  ): Promise<unknown> {
    if (this.#waiting.length >= LIMITS.callsWaiting) {
      throw new RpcError('LimitExceeded', 'too many calls wait for this peer');
    }
    while (!this.#sender.closed && this.#crowded)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return new Promise((resolve, reject) => this.place(reference, operation, args, { resolve, reject }));
  }

  /** Takes an answer. False if no call waits for it. */
  receiveResult(frame: IncomingFrame, memory: SharedMemory): boolean {
    const call = this.#settle(frame.first);
    if (!call) return false;
    const table = entriesOf(frame, this.#channel, memory);
    if (this.#owner.waitsSynchronously && !this.#takesAside(call, frame.payloadEnd)) {
      table?.giveBackUnseen();
      const text = `${call.operation.title}: the caller waits in a synchronous call, and too many bytes of answers with it`;
      this.#rejected(call, new RpcError('LimitExceeded', text));
      return true;
    }
    const reader = readerOf(frame, table);
    try {
      const value = call.operation.readResult(reader);
      if (call.context) this.#returned(call, call.context, value, frame.payloadEnd);
      if (call.resolve(value) !== false) table?.seen();
      else table?.giveBackUnseen();
    } catch (error) {
      table?.giveBackUnseen();
      this.#rejected(call, malformedAnswer(error));
    } finally {
      giveBackReader(reader);
    }
    return true;
  }

  /**
   * Whether there is room for an answer. While the thread waits in a synchronous call, long answers
   * to its other calls only pile up, so their bytes are bounded.
   */
  #takesAside({ synchronous }: PendingCall, bytes: number): boolean {
    if (synchronous || bytes < LIMITS.countedMessageBytes) return true;
    if (this.#bytesAside + bytes > LIMITS.answerBytesAside) return false;
    this.#bytesAside += bytes;
    return true;
  }

  /** Callers have been told of the answers that came while the thread waited. */
  answersTaken(): void {
    this.#bytesAside = 0;
  }

  /** Takes an error. False if no call waits for it. */
  receiveFailure(frame: IncomingFrame): boolean {
    const call = this.#settle(frame.first);
    if (!call) return false;
    const reader = readerOf(frame);
    try {
      const code = reader.text().slice(0, LIMITS.nameBytes);
      const text = reader.text();
      this.#rejected(call, answeredError(code, text, call.operation));
    } catch {
      this.#rejected(call, new RpcError('InternalError', 'the answer is malformed'));
    } finally {
      giveBackReader(reader);
    }
    return true;
  }

  /**
   * The channel has ended, and nothing will be answered any more. `reason` is for calls that were
   * not handed over.
   */
  end(reason: PeerGone): void {
    const unknown = new PeerGone(reason.message, 'maybe');
    for (const call of this.#calls.takeAll()) this.#rejected(call, call.handedOver ? unknown : reason);
    for (const wake of this.#waiting.splice(0)) wake();
    this.#tellAnswered();
  }

  #rejected(call: PendingCall, error: Error): void {
    const { operation, context } = call;
    if (context) {
      this.#owner.tracer.returned(operation, this.#channel.peer, context, { failed: true, bytes: 0 });
    }
    call.reject(error);
  }

  #returned({ operation }: PendingCall, context: TraceContext, result: unknown, bytes: number): void {
    const answer = { result, failed: false, bytes };
    this.#owner.tracer.returned(operation, this.#channel.peer, context, answer);
  }

  #tellAnswered(): void {
    if (this.#onAnswer.length === 0) return;
    const wake = this.#onAnswer;
    this.#onAnswer = [];
    for (const resolve of wake) resolve();
  }

  #settle(id: number): PendingCall | undefined {
    const call = this.#calls.take(id);
    this.#waiting.shift()?.();
    this.#tellAnswered();
    if (call && call.bytes > 0) {
      const stood = this.#bytes >= LIMITS.callBytesPipelined;
      this.#bytes -= call.bytes;
      // This call may have been the one for which many others had to wait.
      if (stood && !this.#crowded) for (const wake of this.#waiting.splice(0)) wake();
    }
    return call;
  }
}

/** Writes the place of a call in its trace, in front of its arguments. */
function writeContext(writer: MessageWriter, { trace, span }: TraceContext): void {
  for (const word of trace) writer.u32(word);
  for (const word of span) writer.u32(word);
}

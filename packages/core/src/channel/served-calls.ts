/**
 * The peer's calls: each is read, carried out and answered. A call counts until its answer has
 * left, so a peer that takes no answers cannot make us keep more and more of them.
 */
import type { ExportedObject } from '../capability/exported-object.ts';
import { RpcError } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import { ShapeError } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';
import { giveBackReader, type MessageReader } from '../message/reader.ts';
import type { SharedMemory } from './carrier.ts';
import { NO_SPAN, type TraceContext } from '../trace/event.ts';
import type { Tracer } from '../trace/tracer.ts';
import { FrameKind, type IncomingFrame } from './frame.ts';
import type { MessageSender } from './message-sender.ts';
import { entriesOf, type IncomingEntries, readerOf, type TableChannel } from './message-tables.ts';

/**
 * Counts the calls that a component is working on, and those that it has completed or that were
 * completed for it.
 */
export interface ServedCallsOwner {
  served: number;
  /** Without calls between the component and the supervisor. */
  completed: number;
}

/** A component that may wait in a synchronous call. */
export interface CallsOwner extends ServedCallsOwner {
  /**
   * Whether its thread waits at the moment. Then only answers and introductions are taken, the rest
   * later.
   */
  readonly waitsSynchronously: boolean;
  /** The hooks of the component. */
  readonly tracer: Tracer;
}

/** A call that is being carried out. */
interface Served {
  readonly id: number;
  readonly target: ExportedObject;
  readonly operation: OperationPlan;
  context: TraceContext | undefined;
}

/** The place of a call in its trace, as its caller says. */
function readContext(reader: MessageReader): TraceContext {
  const trace = [reader.u32(), reader.u32(), reader.u32(), reader.u32()] as const;
  return { trace, span: [reader.u32(), reader.u32()], parent: NO_SPAN };
}

/** The calls of one peer. */
export class ServedCalls {
  readonly #channel: TableChannel;
  readonly #sender: MessageSender;
  readonly #owner: CallsOwner;
  readonly #peer: number;
  #count = 0;
  readonly #counted: boolean;
  readonly #answered = (): void => {
    if (this.#sender.closed) return;
    this.#count--;
    this.#owner.served--;
    if (this.#counted) this.#owner.completed++;
  };

  /** `counted` says that the calls count among those completed. */
  constructor(
    channel: TableChannel & { readonly peer: number },
    sender: MessageSender,
    owner: CallsOwner,
    counted: boolean,
  ) {
    this.#counted = counted;
    this.#channel = channel;
    this.#peer = channel.peer;
    this.#sender = sender;
    this.#owner = owner;
  }

  /** Carries out a call. False if the peer has too many under way. */
  receive(frame: IncomingFrame, memory: SharedMemory): boolean {
    if (this.#count >= LIMITS.callsInFlight) return false;
    this.#count++;
    this.#owner.served++;
    const { first: id, second: index, third: key } = frame;
    const table = entriesOf(frame, this.#channel, memory);
    let served: Served | undefined;
    try {
      const target = this.#channel.exports.get(index);
      if (target?.kind !== 'object') throw new RpcError('Revoked', 'no such object');
      const operation = target.operation(key);
      const reader = readerOf(frame, table);
      const context = frame.kind === FrameKind.tracedCall ? readContext(reader) : undefined;
      const args = this.#readArguments(reader, target, operation, table);
      served = { id, target, operation, context };
      const result =
        this.#owner.tracer.on || context
          ? this.#invokeTraced(served, args, frame.payloadEnd)
          : target.invoke(operation, args);
      if (result instanceof Promise) this.#answerLater(served, result);
      else this.#answer(served, result);
    } catch (error) {
      table?.giveBackUnseen();
      this.#fail(id, served, error);
    }
    return true;
  }

  /** Carries a call out within its trace, if it has one. */
  #invokeTraced(served: Served, args: readonly unknown[], bytes: number): unknown {
    const { target, operation } = served;
    const { tracer } = this.#owner;
    const context = tracer.dispatch(operation, args, this.#peer, bytes, served.context);
    served.context = context;
    if (!context) return target.invoke(operation, args);
    return tracer.within(context, () => target.invoke(operation, args));
  }

  /** The channel has ended, and no answer is sent any more. */
  end(): void {
    this.#owner.served -= this.#count;
    this.#count = 0;
  }

  #readArguments(
    reader: MessageReader,
    target: ExportedObject,
    operation: OperationPlan,
    table: IncomingEntries | undefined,
  ): readonly unknown[] {
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

  #answerLater(served: Served, result: Promise<unknown>): void {
    result.then(
      (value) => this.#answer(served, value),
      (error: unknown) => this.#fail(served.id, served, error),
    );
  }

  #answer({ id, target, operation, context }: Served, value: unknown): void {
    const { tracer } = this.#owner;
    if (tracer.on) tracer.reply(operation, this.#peer, context, { result: value, failed: false });
    const failed = (error: Error): void => {
      const fault = error instanceof ShapeError ? target.internalError(error, operation) : error;
      this.#answerFailure(id, fault);
    };
    this.#sender.post(
      { kind: FrameKind.result, first: id, second: 0, third: 0, left: this.#answered, failed },
      (writer) => operation.writeResult(writer, value),
    );
  }

  #fail(id: number, served: Served | undefined, error: unknown): void {
    const { tracer } = this.#owner;
    if (tracer.on && served) tracer.reply(served.operation, this.#peer, served.context, { failed: true });
    this.#answerFailure(id, error);
  }

  #answerFailure(id: number, error: unknown): void {
    const known = error instanceof RpcError ? error : new RpcError('InternalError', 'the call failed');
    this.#sender.post(
      { kind: FrameKind.failure, first: id, second: 0, third: 0, left: this.#answered, failed: () => {} },
      (writer) => {
        writer.text(known.code);
        writer.text(known.message.slice(0, LIMITS.reasonBytes));
      },
    );
  }
}

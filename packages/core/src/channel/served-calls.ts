/**
 * The peer's calls: each is read, carried out and answered. A call counts until its answer has
 * left, so a peer that takes no answers cannot make us keep more and more of them.
 */
import type { ExportedObject } from '../capability/exported-object.ts';
import { RpcError } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import { ShapeError } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';
import { giveBackReader } from '../message/reader.ts';
import type { SharedMemory } from './carrier.ts';
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
}

/** The calls of one peer. */
export class ServedCalls {
  readonly #channel: TableChannel;
  readonly #sender: MessageSender;
  readonly #owner: ServedCallsOwner;
  #count = 0;
  readonly #counted: boolean;
  readonly #answered = (): void => {
    if (this.#sender.closed) return;
    this.#count--;
    this.#owner.served--;
    if (this.#counted) this.#owner.completed++;
  };

  /** `counted` says that the calls count among those completed. */
  constructor(channel: TableChannel, sender: MessageSender, owner: ServedCallsOwner, counted: boolean) {
    this.#counted = counted;
    this.#channel = channel;
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
    try {
      const target = this.#channel.exports.get(index);
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
    return true;
  }

  /** The channel has ended, and no answer is sent any more. */
  end(): void {
    this.#owner.served -= this.#count;
    this.#count = 0;
  }

  #readArguments(
    frame: IncomingFrame,
    target: ExportedObject,
    operation: OperationPlan,
    table: IncomingEntries | undefined,
  ): readonly unknown[] {
    const reader = readerOf(frame, table);
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
    this.#sender.post(
      { kind: FrameKind.result, first: id, second: 0, third: 0, left: this.#answered, failed },
      (writer) => operation.writeResult(writer, value),
    );
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

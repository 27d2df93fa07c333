/**
 * How a channel sends. Frames without capabilities go at once. A message goes as soon as everything
 * that it carries can be named: if it carries a capability that is still being introduced to us, it
 * waits for that, and later messages overtake it.
 */
import { PeerGone, RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { giveBackWriter, type MessageWriter, takeWriter } from '../message/writer.ts';
import type { Carrier, SharedMemory } from './carrier.ts';
import { finishFrame, FrameKind } from './frame.ts';
import type { TableChannel } from './message-tables.ts';
import { OutgoingEntries } from './outgoing-entries.ts';

/** A message to be sent: the words of its frame, and who is told what becomes of it. */
export interface Outgoing {
  readonly kind: FrameKind;
  readonly first: number;
  readonly second: number;
  readonly third: number;
  /** Called when it has left. */
  readonly left: (() => void) | undefined;
  readonly failed: (error: Error) => void;
}

const NO_MEMORY: SharedMemory = [];

/** The sending side of one end of a channel. */
export class MessageSender {
  readonly #carrier: Carrier;
  readonly #makeTable: () => OutgoingEntries;
  #closed: PeerGone | undefined;
  /** Bytes of long answers that have found no room yet. */
  #answerBytes = 0;

  constructor(carrier: Carrier, channel: TableChannel) {
    this.#carrier = carrier;
    this.#makeTable = () => new OutgoingEntries(channel);
  }

  /** The error for everything that is sent from now on; `undefined` while the channel is open. */
  get closed(): PeerGone | undefined {
    return this.#closed;
  }

  /** The channel has ended. Everything that is still to be sent fails with `reason`. */
  end(reason: PeerGone): void {
    this.#closed ??= reason;
  }

  /** Sends a frame without capabilities. */
  send(kind: FrameKind, first: number, second = 0, third = 0, payload?: Uint8Array): void {
    const writer = takeWriter();
    if (payload) writer.raw(payload);
    this.#carrier.send(finishFrame(writer, kind, first, second, third), NO_MEMORY);
    giveBackWriter(writer);
  }

  /**
   * Sends a message: at once, unless it carries a capability that is still being introduced to us.
   * The result is its length in bytes, 0 if it has failed.
   */
  post(message: Outgoing, write: (writer: MessageWriter) => void): number {
    if (this.#closed) {
      message.failed(this.#closed);
      return 0;
    }
    const writer = takeWriter(this.#makeTable);
    try {
      write(writer);
      // Writing may have ended the channel, because a getter of a value is code like any other.
      if (this.#closed) throw this.#closed;
      const table = this.#tableOf(writer);
      if (table?.unresolved) void this.#postLater(message, writer.payload().slice(), table);
      else this.#transmit(message, writer, table);
      return writer.payload().byteLength;
    } catch (error) {
      this.#tableOf(writer)?.takeBack();
      message.failed(error instanceof Error ? error : new Error(String(error)));
      return 0;
    } finally {
      giveBackWriter(writer);
    }
  }

  #tableOf({ table }: MessageWriter): OutgoingEntries | undefined {
    return table instanceof OutgoingEntries ? table : undefined;
  }

  #transmit(message: Outgoing, writer: MessageWriter, table: OutgoingEntries | undefined): void {
    const { kind, first, second, third } = message;
    const frame = finishFrame(writer, kind, first, second, third, table?.entries);
    if (frame.byteLength > LIMITS.messageBytes) {
      throw new RpcError('LimitExceeded', `a message of ${frame.byteLength} bytes is too long`);
    }
    const counts = kind === FrameKind.result && frame.byteLength >= LIMITS.countedMessageBytes;
    const left = counts ? this.#countAnswer(frame.byteLength, message.left) : message.left;
    const waits = this.#carrier.send(frame, table?.memory ?? NO_MEMORY, left);
    if (!waits) left?.();
    table?.sent();
  }

  /**
   * Counts a long answer until it has left. Throws `LimitExceeded` if the peer has taken too few of
   * the answers before.
   */
  #countAnswer(bytes: number, left: (() => void) | undefined): () => void {
    if (this.#answerBytes + bytes > LIMITS.answerBytesWaiting) {
      throw new RpcError(
        'LimitExceeded',
        `${this.#answerBytes} bytes of answers wait for the caller to take them`,
      );
    }
    this.#answerBytes += bytes;
    return () => {
      this.#answerBytes -= bytes;
      left?.();
    };
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
      message.failed(error instanceof Error ? error : new PeerGone(undefined, 'no'));
    } finally {
      giveBackWriter(writer);
      letGo();
    }
  }
}

/**
 * A shared folder at a port of a machine: a stream of bytes in both directions, on which messages
 * of 9P stand one behind the other, each with its length in front. A port knows no beginnings: the
 * driver of a guest opens it, and when that closes it, or the guest starts anew, whatever it has
 * begun is given up. Whoever does not keep to the protocol is not listened to until then.
 */
import { RpcError } from '@ginit/core';
import { Condition } from '@ginit/core/async';
import type { HostConnection } from '@ginit/core/host';
import { lostAnswer, MESSAGE_HEADER_BYTES, type MessageServer } from '../../devices/message-server.ts';

const LENGTH_BYTES = 4;
/** Messages that are being answered; further ones wait in the port. */
const UNDER_WAY_MAX = 64;

/** What a port tells its surroundings. */
export interface SharePortEvents {
  /** The guest does not keep to the protocol. */
  readonly broken: (reason: string) => void;
  /** The server cannot go on. */
  readonly lost: (error: unknown) => void;
}

/** The part of a connection that is used. */
export type PortConnection = Pick<HostConnection, 'read' | 'write' | 'close'>;

/** One port. */
export class SharePort {
  readonly #makeServer: () => MessageServer;
  readonly #events: SharePortEvents;
  readonly #connection: PortConnection;
  #server: MessageServer;
  #unread: Uint8Array = new Uint8Array(0);
  /** Nothing is listened to until the port is closed. */
  #isBroken = false;
  /** Grows with every close, so that answers from before it find that out. */
  #generation = 0;
  #underWay = 0;
  readonly #oneLess = new Condition();

  /** `makeServer` makes one for each time that the port is open. */
  constructor(connection: PortConnection, makeServer: () => MessageServer, events: SharePortEvents) {
    this.#connection = connection;
    this.#makeServer = makeServer;
    this.#events = events;
    this.#server = makeServer();
  }

  /** Serves until the connection ends. */
  async serve(): Promise<void> {
    try {
      for (let bytes = await this.#connection.read(); bytes; bytes = await this.#connection.read())
        await this.#take(bytes);
    } catch (error) {
      // When QEMU ends, the connection breaks.
      if (!(error instanceof RpcError)) throw error;
    }
    await this.#server.close().catch(() => {});
  }

  /** The guest has closed the port. */
  closed(): void {
    this.#generation++;
    this.#unread = new Uint8Array(0);
    this.#isBroken = false;
    const before = this.#server;
    this.#server = this.#makeServer();
    before.close().catch((error: unknown) => this.#events.lost(error));
  }

  async #take(bytes: Uint8Array): Promise<void> {
    if (this.#isBroken) return;
    this.#unread = joined(this.#unread, bytes);
    for (let message = this.#next(); message; message = this.#next()) {
      const generation = this.#generation;
      while (this.#underWay >= UNDER_WAY_MAX) await this.#oneLess.wait();
      if (generation === this.#generation) void this.#answer(message);
    }
  }

  /** The next message, if all of it is there. */
  #next(): Uint8Array | undefined {
    if (this.#isBroken || this.#unread.byteLength < LENGTH_BYTES) return undefined;
    const { buffer, byteOffset } = this.#unread;
    const size = new DataView(buffer, byteOffset, LENGTH_BYTES).getUint32(0, true);
    if (size < MESSAGE_HEADER_BYTES || size > this.#server.messageBytes) {
      this.#isBroken = true;
      this.#unread = new Uint8Array(0);
      this.#events.broken(`a message of ${size} bytes`);
      return undefined;
    }
    if (this.#unread.byteLength < size) return undefined;
    const message = this.#unread.slice(0, size);
    this.#unread = this.#unread.slice(size);
    return message;
  }

  async #answer(message: Uint8Array): Promise<void> {
    const generation = this.#generation;
    this.#underWay++;
    try {
      const answer = await this.#server.answer(message).catch((error: unknown) => {
        this.#events.lost(error);
        return lostAnswer(message);
      });
      if (generation === this.#generation) await this.#connection.write(answer);
    } catch (error) {
      // When QEMU ends, the connection breaks.
      if (!(error instanceof RpcError)) throw error;
    } finally {
      this.#underWay--;
      this.#oneLess.wakeAll();
    }
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const all = new Uint8Array(one.byteLength + other.byteLength);
  all.set(one);
  all.set(other, one.byteLength);
  return all;
}

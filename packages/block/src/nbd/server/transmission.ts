/**
 * The server's side of the transmission: takes requests as they come, has the device carry them out
 * side by side, and answers each when it is done. What a client can make us hold is bounded: by the
 * number of its requests, and by the bytes that they read and write. Beyond that nothing more is
 * taken from its connection.
 */
import { RpcError } from '@ginit/core';
import { copyInto } from '@ginit/core/packet-stream';
import { Condition } from '@ginit/core/async';
import { type ByteReader, viewOf } from '../../lib/byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import { protocolError } from '../nbd-error.ts';
import {
  ALLOCATION_STATE,
  CHUNK,
  CHUNK_DONE,
  CHUNK_HEADER_BYTES,
  CHUNK_MAGIC,
  COMMAND,
  COMMAND_FLAG,
  NBD_ERROR,
  NBD_LIMITS,
  REQUEST_BYTES,
  REQUEST_MAGIC,
  SIMPLE_REPLY_BYTES,
  SIMPLE_REPLY_MAGIC,
} from '../protocol.ts';
import { type Agreement, ALLOCATION_ID } from './handshake.ts';
import { isZero } from '../../lib/is-zero.ts';
import { errorNumber } from './error-number.ts';

/** Requests of one connection that are under way. */
const REQUESTS_UNDER_WAY_MAX = 256;
/** Bytes that they read and write, together; at least one request is always taken. */
const BYTES_UNDER_WAY_MAX = NBD_LIMITS.requestBytes;

/** A request as it came. */
interface Request {
  readonly flags: number;
  readonly command: number;
  readonly cookieHigh: number;
  readonly cookieLow: number;
  readonly position: number;
  readonly bytes: number;
  /** The payload of a write. */
  readonly parts: readonly Uint8Array[];
}

/** A request that is refused before the device sees it. */
class Invalid extends Error {
  readonly number: number;

  constructor(number: number, text: string) {
    super(text);
    this.number = number;
  }
}

const FLAGS: Readonly<Record<number, number>> = {
  [COMMAND.read]: COMMAND_FLAG.fua | COMMAND_FLAG.dontFragment,
  [COMMAND.write]: COMMAND_FLAG.fua,
  [COMMAND.flush]: COMMAND_FLAG.fua,
  [COMMAND.trim]: COMMAND_FLAG.fua,
  [COMMAND.writeZeroes]: COMMAND_FLAG.fua | COMMAND_FLAG.noHole,
  [COMMAND.blockStatus]: COMMAND_FLAG.fua | COMMAND_FLAG.oneExtent,
};

export class ServerTransmission {
  readonly #reader: ByteReader;
  readonly #writer: ByteWriter;
  readonly #agreed: Agreement;
  /** The size that the client was told, beyond which it may ask for nothing. */
  readonly #sizeBytes: number;
  readonly #room = new Condition();
  #underWay = 0;
  #bytesUnderWay = 0;
  #stopped = false;

  constructor(reader: ByteReader, writer: ByteWriter, agreed: Agreement) {
    this.#reader = reader;
    this.#writer = writer;
    this.#agreed = agreed;
    this.#sizeBytes = agreed.export.device.sizeBytes;
  }

  /**
   * Serves until the client leaves; then everything that it has asked for is done and answered.
   * Rejects with `NbdConnectionError`, also then with nothing under way any more.
   */
  async run(): Promise<void> {
    try {
      while (await this.#next());
    } finally {
      await this.#drained();
    }
    await this.#writer.flush();
  }

  /**
   * Answers requests that come from now on with `shutdown`. Settles when those that came before are
   * answered.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#drained();
  }

  async #drained(): Promise<void> {
    while (this.#underWay > 0) await this.#room.wait();
  }

  /** Takes one request; false if there will be no more. */
  async #next(): Promise<boolean> {
    const reader = this.#reader;
    if (reader.held < REQUEST_BYTES && !(await reader.fill(REQUEST_BYTES))) return false;
    const header = viewOf(reader.take(REQUEST_BYTES));
    if (header.getUint32(0) !== REQUEST_MAGIC) throw protocolError('a request has no magic number');
    const command = header.getUint16(6);
    if (command === COMMAND.disconnect) return false;
    const bytes = header.getUint32(24);
    const payload = command === COMMAND.write ? bytes : 0;
    // The payload would have to be taken before the request can be refused.
    if (payload > NBD_LIMITS.requestBytes) throw protocolError(`a write of ${payload} bytes is too large`);
    const moved = command === COMMAND.write || command === COMMAND.read ? bytes : 0;
    if (!this.#hasRoom(moved)) await this.#waitForRoom(moved);
    this.#underWay++;
    this.#bytesUnderWay += moved;
    const end = (): void => {
      this.#underWay--;
      this.#bytesUnderWay -= moved;
      this.#room.wakeAll();
    };
    try {
      if (reader.held < payload) await reader.need(payload);
    } catch (error) {
      end();
      throw error;
    }
    void this.#serve(
      {
        flags: header.getUint16(4),
        command,
        cookieHigh: header.getUint32(8),
        cookieLow: header.getUint32(12),
        position: header.getUint32(16) * 2 ** 32 + header.getUint32(20),
        bytes,
        parts: payload > 0 ? reader.takeParts(payload) : [],
      },
      end,
    );
    return true;
  }

  #hasRoom(bytes: number): boolean {
    if (this.#underWay === 0) return true;
    return this.#underWay < REQUESTS_UNDER_WAY_MAX && this.#bytesUnderWay + bytes <= BYTES_UNDER_WAY_MAX;
  }

  async #waitForRoom(bytes: number): Promise<void> {
    while (!this.#hasRoom(bytes)) await this.#room.wait();
  }

  async #serve(request: Request, end: () => void): Promise<void> {
    try {
      this.#check(request);
      await this.#perform(request, end);
    } catch (error) {
      if (error instanceof Invalid) this.#refuse(request, error.number, error.message, end);
      else if (error instanceof RpcError) {
        this.#refuse(request, errorNumber(error, request.command), error.message, end);
      } else {
        this.#refuse(request, NBD_ERROR.inputOutput, 'the server has a fault', end);
        // The device has not failed: the server has a fault, which ends it.
        throw error;
      }
    }
  }

  #check({ command, flags, position, bytes }: Request): void {
    const { device } = this.#agreed.export;
    const allowed = FLAGS[command];
    if (this.#stopped) throw new Invalid(NBD_ERROR.shutdown, 'the server is shutting down');
    if (allowed === undefined) throw new Invalid(NBD_ERROR.invalid, `unknown command ${command}`);
    if ((flags & ~allowed) !== 0) throw new Invalid(NBD_ERROR.invalid, `unknown flags ${flags}`);
    const writes = command === COMMAND.write || command === COMMAND.trim || command === COMMAND.writeZeroes;
    if (writes && !device.writeable) throw new Invalid(NBD_ERROR.notPermitted, 'the export is read-only');
    if (command === COMMAND.flush) return;
    const size = Math.min(this.#sizeBytes, device.sizeBytes);
    if (position > size || bytes > size - position) {
      const grows = command === COMMAND.write || command === COMMAND.writeZeroes;
      const number = grows ? NBD_ERROR.noSpace : NBD_ERROR.invalid;
      throw new Invalid(number, 'the range goes beyond the export');
    }
    if (command === COMMAND.read && bytes > NBD_LIMITS.requestBytes) {
      throw new Invalid(NBD_ERROR.invalid, `a read of ${bytes} bytes is too large`);
    }
    if (command === COMMAND.blockStatus && (bytes === 0 || !this.#agreed.allocation)) {
      throw new Invalid(NBD_ERROR.invalid, 'no context was agreed on, or the range is empty');
    }
  }

  async #perform(request: Request, end: () => void): Promise<void> {
    const { device } = this.#agreed.export;
    const { command, position, bytes } = request;
    if (command === COMMAND.read && bytes > 0) {
      return device.read(position, bytes, (payload, release) =>
        this.#answerRead(request, payload, release, end),
      );
    }
    if (command === COMMAND.blockStatus) return this.#answerStatus(request, end);
    if (command === COMMAND.flush) await device.flush();
    else if (bytes > 0) await this.#change(request);
    this.#answer(request, end);
  }

  async #change({ command, position, bytes, parts, flags }: Request): Promise<void> {
    const { device } = this.#agreed.export;
    if (command === COMMAND.write) await device.write(position, bytes, parts);
    else if (command === COMMAND.trim) await device.trim(position, bytes);
    else await device.writeZeroes(position, bytes);
    if ((flags & COMMAND_FLAG.fua) !== 0) await device.flush();
  }

  #answer(request: Request, end: () => void): void {
    if (this.#agreed.structured && request.command === COMMAND.read)
      this.#chunk(request, CHUNK.none, 0, 0, end);
    else this.#simple(request, NBD_ERROR.ok, 0, end);
  }

  #answerRead(
    request: Request,
    payload: Uint8Array,
    release: (() => void) | undefined,
    end: () => void,
  ): void {
    const bytes = payload.byteLength;
    const { structured } = this.#agreed;
    const mayBeHole = structured && (request.flags & COMMAND_FLAG.dontFragment) === 0;
    if (mayBeHole && isZero(payload)) {
      const room = this.#chunk(request, CHUNK.hole, 12, 12, end);
      writePosition(room, request.position);
      viewOf(room).setUint32(CHUNK_HEADER_BYTES + 8, bytes);
      release?.();
      return;
    }
    const copied = release ? 0 : bytes;
    const done = release ? undefined : end;
    let room: Uint8Array;
    if (structured) {
      room = this.#chunk(request, CHUNK.data, 8 + bytes, 8 + copied, done);
      writePosition(room, request.position);
    } else room = this.#simple(request, NBD_ERROR.ok, copied, done);
    if (!release) return copyInto(room, payload, room.byteLength - bytes);
    this.#writer.append(payload, () => {
      release();
      end();
    });
  }

  async #answerStatus(request: Request, end: () => void): Promise<void> {
    const { device } = this.#agreed.export;
    const found = await device.extents(request.position, request.bytes);
    const most = (request.flags & COMMAND_FLAG.oneExtent) !== 0 ? 1 : NBD_LIMITS.extents;
    const extents = found.slice(0, most);
    const length = 4 + 8 * extents.length;
    const room = viewOf(this.#chunk(request, CHUNK.blockStatus, length, length, end));
    room.setUint32(CHUNK_HEADER_BYTES, ALLOCATION_ID);
    for (const [index, { bytes, zero }] of extents.entries()) {
      room.setUint32(CHUNK_HEADER_BYTES + 4 + 8 * index, bytes);
      room.setUint32(CHUNK_HEADER_BYTES + 8 + 8 * index, zero ? ALLOCATION_STATE.zero : 0);
    }
  }

  #refuse(request: Request, number: number, text: string, end: () => void): void {
    const { command } = request;
    if (!this.#agreed.structured || (command !== COMMAND.read && command !== COMMAND.blockStatus)) {
      this.#simple(request, number, 0, end);
      return;
    }
    const message = new TextEncoder().encode(text).subarray(0, NBD_LIMITS.textBytes);
    const bytes = 6 + message.byteLength;
    const room = this.#chunk(request, CHUNK.error, bytes, bytes, end);
    const view = viewOf(room);
    view.setUint32(CHUNK_HEADER_BYTES, number);
    view.setUint16(CHUNK_HEADER_BYTES + 4, message.byteLength);
    room.set(message, CHUNK_HEADER_BYTES + 6);
  }

  /** A reply with room for `bytes` of data. */
  #simple(
    { cookieHigh, cookieLow }: Request,
    error: number,
    bytes: number,
    end: (() => void) | undefined,
  ): Uint8Array {
    const room = this.#writer.message(SIMPLE_REPLY_BYTES + bytes, end);
    const view = viewOf(room);
    view.setUint32(0, SIMPLE_REPLY_MAGIC);
    view.setUint32(4, error);
    view.setUint32(8, cookieHigh);
    view.setUint32(12, cookieLow);
    return room;
  }

  /** The only chunk of a reply, of so many bytes, with room for the first `here` of them. */
  #chunk(
    { cookieHigh, cookieLow }: Request,
    type: number,
    bytes: number,
    here: number,
    end: (() => void) | undefined,
  ): Uint8Array {
    const room = this.#writer.message(CHUNK_HEADER_BYTES + here, end);
    const view = viewOf(room);
    view.setUint32(0, CHUNK_MAGIC);
    view.setUint16(4, CHUNK_DONE);
    view.setUint16(6, type);
    view.setUint32(8, cookieHigh);
    view.setUint32(12, cookieLow);
    view.setUint32(16, bytes);
    return room;
  }
}

function writePosition(room: Uint8Array, position: number): void {
  const view = viewOf(room);
  view.setUint32(CHUNK_HEADER_BYTES, Math.floor(position / 2 ** 32));
  view.setUint32(CHUNK_HEADER_BYTES + 4, position % 2 ** 32);
}

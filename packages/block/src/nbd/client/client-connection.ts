/**
 * The client's side of a connection: requests with a promise each, any number at a time, answered
 * in any order. When the connection ends, for whatever reason, every promise rejects with
 * `NbdConnectionError`, and with an `NbdRequestError` where the server has answered with an error.
 */
import { RpcError } from '@ginit/core';
import { deferred } from '@ginit/core/async';
import type { HostConnection, HostTls } from '@ginit/core/host';
import { copyInto } from '@ginit/core/packet-stream';
import { ByteReader, viewOf } from '../../lib/byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import { endedError, NbdConnectionError, protocolError } from '../nbd-error.ts';
import {
  CHUNK,
  CHUNK_DONE,
  CHUNK_ERRORS,
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
import { Coverage } from './coverage.ts';
import { ClientHandshake, type RemoteExport } from './handshake.ts';

/** Codes of requests that the server has answered with an error. */
export type NbdRequestCode = 'ReadOnly' | 'NoSpace' | 'Invalid' | 'InputOutput' | 'Shutdown';

/** The server has answered a request with an error. */
export class NbdRequestError extends RpcError<NbdRequestCode> {}

/** From this size on data is sent from where it is; smaller data goes with its header. */
const SENT_AS_IS_BYTES = 64 * 1024;

/** A request that waits for its answer. */
interface Pending {
  readonly command: number;
  readonly position: number;
  /** Where the bytes of a read go. */
  readonly into: Uint8Array | undefined;
  readonly coverage: Coverage | undefined;
  error: NbdRequestError | undefined;
  readonly resolve: () => void;
  readonly reject: (error: RpcError) => void;
}

export class ClientConnection {
  readonly #connection: HostConnection;
  readonly #reader: ByteReader;
  readonly #writer: ByteWriter;
  readonly #pending = new Map<number, Pending>();
  readonly #ended = deferred<NbdConnectionError>();
  #failure: NbdConnectionError | undefined;
  #cookie = 0;
  /** How often anything has come from the server. */
  #heard = 0;

  /**
   * Opens an export over a connection, which belongs to the result from now on. Rejects, with the
   * connection closed.
   */
  static async open(
    connection: HostConnection,
    options: { readonly exportName: string; readonly tls?: HostTls | undefined },
  ): Promise<{ client: ClientConnection; remote: RemoteExport }> {
    const client = new ClientConnection(connection);
    try {
      const remote = await new ClientHandshake({
        reader: client.#reader,
        writer: client.#writer,
        exportName: options.exportName,
        tls: options.tls,
        startTls: (tls) => connection.startTls(tls),
      }).run();
      void client.#receive(remote.structured);
      return { client, remote };
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  private constructor(connection: HostConnection) {
    this.#connection = connection;
    this.#reader = new ByteReader(connection, endedError);
    this.#writer = new ByteWriter(connection, (error) => this.#end(asEnd(error)));
  }

  /** Settles with the reason when the connection has ended. It never rejects. */
  get ended(): Promise<NbdConnectionError> {
    return this.#ended.promise;
  }

  /** The number of requests that wait for an answer. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * A number that changes as long as the server sends anything, be it a part of an answer, or takes
   * anything.
   */
  get progress(): number {
    return this.#heard + this.#writer.writes;
  }

  /** Fills `into` from `position` on. */
  read(position: number, into: Uint8Array): Promise<void> {
    return this.#request(COMMAND.read, 0, position, into.byteLength, { into });
  }

  /** `from` must never change: a server that is given up may take it later. */
  write(position: number, from: Uint8Array, fua = false): Promise<void> {
    return this.#request(COMMAND.write, fua ? COMMAND_FLAG.fua : 0, position, from.byteLength, { from });
  }

  flush(): Promise<void> {
    return this.#request(COMMAND.flush, 0, 0, 0);
  }

  trim(position: number, bytes: number): Promise<void> {
    return this.#request(COMMAND.trim, 0, position, bytes);
  }

  writeZeroes(position: number, bytes: number): Promise<void> {
    return this.#request(COMMAND.writeZeroes, 0, position, bytes);
  }

  /** Takes leave of the server, and closes the connection. Requests under way reject. */
  async disconnect(): Promise<void> {
    if (this.#failure === undefined) {
      this.#header(this.#writer.message(REQUEST_BYTES), COMMAND.disconnect, 0, 0, 0, 0);
      await this.#writer.flush().catch(() => {});
    }
    await this.close(new NbdConnectionError('Ended', 'the connection is closed'));
  }

  /** Closes the connection at once; requests under way reject with `reason`. */
  async close(reason: NbdConnectionError): Promise<void> {
    this.#end(reason);
    await this.#connection.close();
  }

  #request(
    command: number,
    flags: number,
    position: number,
    bytes: number,
    { into, from }: { readonly into?: Uint8Array; readonly from?: Uint8Array } = {},
  ): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      do this.#cookie = (this.#cookie + 1) >>> 0;
      while (this.#pending.has(this.#cookie));
      const coverage = into && new Coverage(bytes);
      this.#pending.set(this.#cookie, {
        command,
        position,
        into,
        coverage,
        error: undefined,
        resolve,
        reject,
      });
      const asIs = from !== undefined && from.byteLength >= SENT_AS_IS_BYTES;
      const room = this.#writer.message(REQUEST_BYTES + (asIs ? 0 : (from?.byteLength ?? 0)));
      this.#header(room, command, flags, this.#cookie, position, bytes);
      if (asIs) this.#writer.append(from, () => {});
      else if (from) copyInto(room, from, REQUEST_BYTES);
    });
  }

  #header(
    room: Uint8Array,
    command: number,
    flags: number,
    cookie: number,
    position: number,
    bytes: number,
  ): void {
    const view = viewOf(room);
    view.setUint32(0, REQUEST_MAGIC);
    view.setUint16(4, flags);
    view.setUint16(6, command);
    view.setUint32(8, 0);
    view.setUint32(12, cookie);
    view.setUint32(16, Math.floor(position / 2 ** 32));
    view.setUint32(20, position % 2 ** 32);
    view.setUint32(24, bytes);
  }

  async #receive(structured: boolean): Promise<void> {
    const reader = this.#reader;
    try {
      while (reader.held >= SIMPLE_REPLY_BYTES || (await reader.fill(SIMPLE_REPLY_BYTES))) {
        const header = viewOf(reader.take(SIMPLE_REPLY_BYTES));
        const magic = header.getUint32(0);
        if (magic === SIMPLE_REPLY_MAGIC) await this.#simple(header, structured);
        else if (magic === CHUNK_MAGIC && structured) await this.#chunk(header);
        else throw protocolError('a reply has no magic number');
        this.#heard++;
      }
      this.#end(new NbdConnectionError('Ended', 'the server has closed the connection'));
    } catch (error) {
      this.#end(asEnd(error));
    }
    await this.#connection.close();
  }

  async #simple(header: DataView, structured: boolean): Promise<void> {
    const cookie = header.getUint32(12);
    const pending = this.#find(header.getUint32(8), cookie);
    const { into } = pending;
    const error = requestError(header.getUint32(4), '');
    if (into && structured) throw protocolError('the server answers a read without structure');
    if (into && !error) {
      await this.#reader.moveInto(into, this.#came);
      pending.coverage?.add(0, into.byteLength);
    }
    this.#finish(cookie, pending, error);
  }

  async #chunk(start: DataView): Promise<void> {
    const reader = this.#reader;
    await reader.need(CHUNK_HEADER_BYTES - SIMPLE_REPLY_BYTES);
    const bytes = viewOf(reader.take(CHUNK_HEADER_BYTES - SIMPLE_REPLY_BYTES)).getUint32(0);
    const [flags, type, cookie] = [start.getUint16(4), start.getUint16(6), start.getUint32(12)];
    const pending = this.#find(start.getUint32(8), cookie);
    if (type === CHUNK.data && pending.into) await this.#data(pending, pending.into, bytes);
    else if (type === CHUNK.hole && pending.into) await this.#hole(pending, pending.into, bytes);
    else if (type >= CHUNK_ERRORS) await this.#error(pending, bytes);
    else if (type !== CHUNK.none || bytes !== 0) {
      throw protocolError(`a chunk of type ${type} with ${bytes} bytes does not answer the request`);
    }
    if ((flags & CHUNK_DONE) !== 0) this.#finish(cookie, pending, pending.error);
  }

  async #data(pending: Pending, into: Uint8Array, bytes: number): Promise<void> {
    if (bytes <= 8) throw protocolError(`a piece of a read has ${bytes} bytes`);
    await this.#reader.need(8);
    const at = this.#piece(pending, this.#reader.take(8), bytes - 8);
    await this.#reader.moveInto(into.subarray(at, at + bytes - 8), this.#came);
  }

  async #hole(pending: Pending, into: Uint8Array, bytes: number): Promise<void> {
    if (bytes !== 12) throw protocolError(`a hole is described in ${bytes} bytes`);
    await this.#reader.need(12);
    const fields = this.#reader.take(12);
    const length = viewOf(fields).getUint32(8);
    const at = this.#piece(pending, fields, length);
    this.#mustGoOn();
    into.fill(0, at, at + length);
  }

  /** The place of a piece within its read. */
  #piece({ position, coverage }: Pending, start: Uint8Array, bytes: number): number {
    const view = viewOf(start);
    // Numbers beyond 2^53 lose their last bits, but are never in a read.
    const at = view.getUint32(0) * 2 ** 32 + view.getUint32(4) - position;
    coverage?.add(at, bytes);
    return at;
  }

  async #error(pending: Pending, bytes: number): Promise<void> {
    if (bytes < 6 || bytes > 6 + NBD_LIMITS.textBytes + 8) throw protocolError(`an error has ${bytes} bytes`);
    await this.#reader.need(bytes);
    const data = this.#reader.take(bytes);
    const view = viewOf(data);
    const textBytes = view.getUint16(4);
    if (textBytes > bytes - 6) throw protocolError('the text of an error is not there');
    const text = new TextDecoder().decode(data.subarray(6, 6 + textBytes));
    pending.error ??= requestError(view.getUint32(0), text);
    if (!pending.error) throw protocolError('an error says that all is well');
  }

  #finish(cookie: number, pending: Pending, error: NbdRequestError | undefined): void {
    if (!error && pending.coverage?.whole === false) {
      throw protocolError('the server ends a read before all of it has come');
    }
    this.#pending.delete(cookie);
    if (error) pending.reject(error);
    else pending.resolve();
  }

  #find(cookieHigh: number, cookie: number): Pending {
    const pending = cookieHigh === 0 ? this.#pending.get(cookie) : undefined;
    if (!pending) throw protocolError('the server answers a request that nobody has made');
    return pending;
  }

  /** Called for each part of an answer that comes. */
  readonly #came = (): void => {
    this.#heard++;
    this.#mustGoOn();
  };

  /** Nothing may be written where a read goes once it has been rejected. */
  #mustGoOn(): void {
    if (this.#failure) throw this.#failure;
  }

  #end(reason: NbdConnectionError): void {
    if (this.#failure) return;
    this.#failure = reason;
    this.#ended.resolve(reason);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(reason);
    void this.#connection.close();
  }
}

function asEnd(error: unknown): NbdConnectionError {
  if (error instanceof NbdConnectionError) return error;
  if (error instanceof RpcError) return new NbdConnectionError('Ended', error.message);
  throw error;
}

function requestError(number: number, text: string): NbdRequestError | undefined {
  if (number === NBD_ERROR.ok) return undefined;
  const words = `the server answers with error ${number}${text && `: ${text}`}`;
  return new NbdRequestError(codeOf(number), words);
}

function codeOf(number: number): NbdRequestCode {
  switch (number) {
    case NBD_ERROR.notPermitted:
      return 'ReadOnly';
    case NBD_ERROR.noSpace:
      return 'NoSpace';
    case NBD_ERROR.invalid:
    case NBD_ERROR.notSupported:
      return 'Invalid';
    case NBD_ERROR.shutdown:
      return 'Shutdown';
    default:
      return 'InputOutput';
  }
}

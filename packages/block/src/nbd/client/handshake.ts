/**
 * The client's side of the handshake: secures the connection if that is wanted, agrees on
 * structured replies, and picks one export. A server that refuses an option which is only good to
 * have is taken as it is; one that does not keep to the protocol is left.
 */
import type { HostTls } from '@ginit/core/host';
import { type ByteReader, viewOf } from '../../lib/byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import { Fields, FieldWriter } from '../fields.ts';
import { NbdConnectionError, protocolError } from '../nbd-error.ts';
import {
  EXPORT_FLAG,
  EXPORT_NAME_ZEROES,
  GREETING_MAGIC,
  HANDSHAKE_FLAG,
  INFO,
  isRefusal,
  NBD_LIMITS,
  OPTION,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC,
} from '../protocol.ts';

/** The means of a handshake. */
export interface ClientHandshakeParts {
  readonly reader: ByteReader;
  readonly writer: ByteWriter;
  readonly exportName: string;
  readonly tls: HostTls | undefined;
  readonly startTls: (tls: HostTls) => Promise<void>;
}

/** An export as the server describes it, and how it is spoken with. */
export interface RemoteExport {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly canFlush: boolean;
  readonly canFua: boolean;
  readonly canTrim: boolean;
  readonly canWriteZeroes: boolean;
  /** Whether what one connection has written and flushed is seen and kept by all. */
  readonly multiConnection: boolean;
  readonly structured: boolean;
  /** The sizes of requests that the server takes, in bytes. */
  readonly minimumBytes: number;
  readonly maximumBytes: number;
}

interface Reply {
  readonly type: number;
  readonly data: Uint8Array;
}

/** What holds where the server says nothing: any client may send requests of this size. */
const MINIMUM_BYTES = 512;

export class ClientHandshake {
  readonly #parts: ClientHandshakeParts;
  #structured = false;
  #noZeroes = false;

  constructor(parts: ClientHandshakeParts) {
    this.#parts = parts;
  }

  /** Resolves when requests may be sent. Rejects with `NbdConnectionError`, or as `startTls`. */
  async run(): Promise<RemoteExport> {
    await this.#greet();
    if (this.#parts.tls) await this.#startTls(this.#parts.tls);
    const [agreed] = await this.#ask(OPTION.structuredReply, new Uint8Array(0));
    this.#structured = agreed?.type === OPTION_REPLY.ack;
    const { exportName } = this.#parts;
    const wanted = new FieldWriter().countedText(exportName).u16(1).u16(INFO.blockSize).done();
    const replies = await this.#ask(OPTION.go, wanted);
    const last = replies.at(-1);
    if (last?.type === OPTION_REPLY.unsupported) return this.#exportName();
    if (last?.type !== OPTION_REPLY.ack) throw refusal(`export ${JSON.stringify(exportName)}`, last);
    return this.#read(replies.filter(({ type }) => type === OPTION_REPLY.info));
  }

  async #greet(): Promise<void> {
    const { reader, writer } = this.#parts;
    await reader.need(18);
    const view = viewOf(reader.take(18));
    if (view.getBigUint64(0) !== GREETING_MAGIC) throw protocolError('the other end is no server of NBD');
    if (view.getBigUint64(8) !== OPTION_MAGIC)
      throw protocolError('the server knows only the oldest handshake');
    const flags = view.getUint16(16);
    if ((flags & HANDSHAKE_FLAG.fixedNewstyle) === 0) {
      throw protocolError('the server knows only an old handshake, in which nothing can be refused');
    }
    this.#noZeroes = (flags & HANDSHAKE_FLAG.noZeroes) !== 0;
    const answer = HANDSHAKE_FLAG.fixedNewstyle | (this.#noZeroes ? HANDSHAKE_FLAG.noZeroes : 0);
    writer.send(new FieldWriter().u32(answer).done());
  }

  async #startTls(tls: HostTls): Promise<void> {
    const { reader, startTls } = this.#parts;
    const [reply] = await this.#ask(OPTION.startTls, new Uint8Array(0));
    if (reply?.type !== OPTION_REPLY.ack) throw refusal('TLS', reply);
    if (reader.held > 0) throw protocolError('the server sends before TLS has begun');
    await startTls(tls);
  }

  /** Sends an option and takes the replies to it, the last of which is ACK or a refusal. */
  async #ask(option: number, data: Uint8Array): Promise<Reply[]> {
    const { reader, writer } = this.#parts;
    writer.send(new FieldWriter().u64(OPTION_MAGIC).u32(option).u32(data.byteLength).bytes(data).done());
    await writer.flush();
    const replies: Reply[] = [];
    let left: number = NBD_LIMITS.optionBytes;
    while (replies.length < NBD_LIMITS.optionReplies) {
      await reader.need(OPTION_REPLY_HEADER_BYTES);
      const header = viewOf(reader.take(OPTION_REPLY_HEADER_BYTES));
      const bytes = header.getUint32(16);
      if (header.getBigUint64(0) !== OPTION_REPLY_MAGIC || header.getUint32(8) !== option) {
        throw protocolError('a reply to an option has no magic number, or is for another one');
      }
      left -= bytes;
      if (left < 0)
        throw protocolError(`the replies to an option have ${NBD_LIMITS.optionBytes - left} bytes`);
      await reader.need(bytes);
      const type = header.getUint32(12);
      replies.push({ type, data: reader.take(bytes) });
      if (type === OPTION_REPLY.ack || isRefusal(type)) return replies;
    }
    throw protocolError('the replies to an option do not end');
  }

  #read(infos: readonly Reply[]): RemoteExport {
    let found: { readonly sizeBytes: number; readonly flags: number } | undefined;
    let [minimumBytes, maximumBytes]: [number, number] = [MINIMUM_BYTES, NBD_LIMITS.requestBytes];
    for (const { data } of infos) {
      const fields = new Fields(data);
      const kind = fields.u16();
      if (kind === INFO.export) {
        found = { sizeBytes: fields.u64(), flags: fields.u16() };
        fields.end();
      } else if (kind === INFO.blockSize) {
        const minimum = fields.u32();
        fields.u32();
        maximumBytes = Math.min(fields.u32(), NBD_LIMITS.requestBytes);
        fields.end();
        if (!Number.isInteger(Math.log2(minimum)) || minimum > 65_536 || maximumBytes < minimum) {
          throw protocolError(`requests of ${minimum} to ${maximumBytes} bytes cannot be`);
        }
        minimumBytes = minimum;
      }
    }
    if (!found) throw protocolError('the server does not say how large the export is');
    return this.#describe(found.sizeBytes, found.flags, minimumBytes, maximumBytes);
  }

  /** The old way, for servers that do not know GO. A server that has no such export hangs up. */
  async #exportName(): Promise<RemoteExport> {
    const { reader, writer, exportName } = this.#parts;
    const name = new TextEncoder().encode(exportName);
    const option = new FieldWriter().u64(OPTION_MAGIC).u32(OPTION.exportName).u32(name.byteLength);
    writer.send(option.bytes(name).done());
    const bytes = 10 + (this.#noZeroes ? 0 : EXPORT_NAME_ZEROES);
    if (!(await reader.fill(bytes))) {
      throw new NbdConnectionError('Refused', `the server refuses export ${JSON.stringify(exportName)}`);
    }
    const fields = new Fields(reader.take(bytes));
    return this.#describe(fields.u64(), fields.u16(), MINIMUM_BYTES, NBD_LIMITS.requestBytes);
  }

  #describe(sizeBytes: number, flags: number, minimumBytes: number, maximumBytes: number): RemoteExport {
    const has = (flag: number): boolean => (flags & EXPORT_FLAG.hasFlags) !== 0 && (flags & flag) !== 0;
    return {
      sizeBytes,
      readOnly: has(EXPORT_FLAG.readOnly),
      canFlush: has(EXPORT_FLAG.flush),
      canFua: has(EXPORT_FLAG.fua),
      canTrim: has(EXPORT_FLAG.trim),
      canWriteZeroes: has(EXPORT_FLAG.writeZeroes),
      multiConnection: has(EXPORT_FLAG.multiConnection),
      structured: this.#structured,
      minimumBytes,
      maximumBytes: maximumBytes - (maximumBytes % Math.max(minimumBytes, MINIMUM_BYTES)),
    };
  }
}

/** Why the server does not do what was asked for, in its own words if it has any. */
function refusal(what: string, reply: Reply | undefined): NbdConnectionError {
  const text = new TextDecoder().decode(reply?.data.subarray(0, NBD_LIMITS.textBytes)).trim();
  return new NbdConnectionError(
    'Refused',
    `the server refuses ${what}: ${refusalName(reply?.type)}${text && `, ${text}`}`,
  );
}

function refusalName(type: number | undefined): string {
  switch (type) {
    case OPTION_REPLY.unsupported:
      return 'not supported';
    case OPTION_REPLY.policy:
      return 'not allowed';
    case OPTION_REPLY.tlsRequired:
      return 'it speaks TLS only';
    case OPTION_REPLY.unknown:
      return 'it has no such export';
    case OPTION_REPLY.shutdown:
      return 'it is shutting down';
    case OPTION_REPLY.blockSizeRequired:
      return 'it wants other sizes of requests';
    default:
      return `reply ${type ?? 'missing'}`;
  }
}

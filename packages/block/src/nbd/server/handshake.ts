/**
 * The server's side of the handshake: replies to one option after the other until the client picks
 * an export or leaves. Nothing that a client sends here makes it hold more than one option.
 */
import type { HostTls } from '@ginit/core/host';
import type { ByteReader } from '../../lib/byte-reader.ts';
import { viewOf } from '../../lib/byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import { Fields, FieldWriter } from '../fields.ts';
import { NbdConnectionError, protocolError } from '../nbd-error.ts';
import {
  ALLOCATION_CONTEXT,
  EXPORT_FLAG,
  EXPORT_NAME_ZEROES,
  GREETING_MAGIC,
  HANDSHAKE_FLAG,
  INFO,
  NBD_LIMITS,
  OPTION,
  OPTION_HEADER_BYTES,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_MAGIC,
} from '../protocol.ts';
import type { NbdDevice, NbdExport } from './nbd-device.ts';

/** The means of a handshake. */
export interface HandshakeParts {
  readonly reader: ByteReader;
  readonly writer: ByteWriter;
  /** The exports as they are now; the first one is also found by the empty name. */
  readonly exports: () => readonly NbdExport[];
  /** How the connection is secured. If it is there, nothing is said to a client without TLS. */
  readonly tls: HostTls | undefined;
  readonly startTls: (tls: HostTls) => Promise<void>;
}

/** The agreement of both ends. */
export interface Agreement {
  readonly export: NbdExport;
  readonly structured: boolean;
  /** Whether the client may ask for the states of extents. */
  readonly allocation: boolean;
}

/** The preferred size of requests, where the device has none that is larger. */
const PREFERRED_BYTES = 4096;
/** The number of the allocation context in replies. */
export const ALLOCATION_ID = 1;

/** A reply that refuses an option. */
class Refusal extends Error {
  readonly type: number;

  constructor(type: number, text: string) {
    super(text);
    this.type = type;
  }
}

export class ServerHandshake {
  readonly #parts: HandshakeParts;
  #secured = false;
  #structured = false;
  #noZeroes = false;
  /** The export for which the client has selected the allocation context. */
  #contextOf: string | undefined;

  constructor(parts: HandshakeParts) {
    this.#parts = parts;
  }

  /**
   * Resolves to the agreement, or to nothing if the client leaves in good order. Rejects with
   * `NbdConnectionError`.
   */
  async run(): Promise<Agreement | undefined> {
    const { reader, writer } = this.#parts;
    const offered = HANDSHAKE_FLAG.fixedNewstyle | HANDSHAKE_FLAG.noZeroes;
    writer.send(new FieldWriter().u64(GREETING_MAGIC).u64(OPTION_MAGIC).u16(offered).done());
    if (!(await reader.fill(4))) return undefined;
    const flags = new Fields(reader.take(4)).u32();
    if ((flags & ~offered) !== 0) throw protocolError(`the client sets unknown flags (${flags})`);
    this.#noZeroes = (flags & HANDSHAKE_FLAG.noZeroes) !== 0;
    for (let count = 0; count < NBD_LIMITS.options; count++) {
      if (!(await reader.fill(OPTION_HEADER_BYTES))) return undefined;
      const header = viewOf(reader.take(OPTION_HEADER_BYTES));
      if (header.getBigUint64(0) !== OPTION_MAGIC) throw protocolError('an option has no magic number');
      const option = header.getUint32(8);
      const bytes = header.getUint32(12);
      if (bytes > NBD_LIMITS.optionBytes) throw protocolError(`an option has ${bytes} bytes`);
      await reader.need(bytes);
      const result = await this.#take(option, reader.take(bytes));
      if (result !== 'next') return result;
      await writer.flush();
    }
    throw protocolError('the client sends options and options');
  }

  async #take(option: number, data: Uint8Array): Promise<Agreement | undefined | 'next'> {
    if (option === OPTION.abort) {
      this.#reply(option, OPTION_REPLY.ack);
      await this.#parts.writer.flush();
      return undefined;
    }
    if (option === OPTION.exportName) return this.#exportName(data);
    try {
      if (this.#parts.tls && !this.#secured && option !== OPTION.startTls) {
        throw new Refusal(OPTION_REPLY.tlsRequired, 'this server speaks TLS only');
      }
      return await this.#perform(option, new Fields(data));
    } catch (error) {
      if (error instanceof Refusal) this.#reply(option, error.type, new TextEncoder().encode(error.message));
      // A malformed option leaves both ends at the same place, so the handshake goes on.
      else if (
        error instanceof NbdConnectionError &&
        error.code === 'Protocol' &&
        option !== OPTION.startTls
      ) {
        this.#reply(option, OPTION_REPLY.invalid, new TextEncoder().encode(error.message));
      } else throw error;
      return 'next';
    }
  }

  async #perform(option: number, fields: Fields): Promise<Agreement | 'next'> {
    switch (option) {
      case OPTION.startTls:
        await this.#startTls(fields);
        return 'next';
      case OPTION.list:
        fields.end();
        for (const { name, description } of this.#parts.exports()) {
          this.#reply(
            option,
            OPTION_REPLY.server,
            new FieldWriter().countedText(name).text(description).done(),
          );
        }
        this.#reply(option, OPTION_REPLY.ack);
        return 'next';
      case OPTION.structuredReply:
        fields.end();
        this.#structured = true;
        this.#reply(option, OPTION_REPLY.ack);
        return 'next';
      case OPTION.listMetaContext:
      case OPTION.setMetaContext:
        this.#metaContext(option, fields);
        return 'next';
      case OPTION.info:
      case OPTION.go:
        return this.#go(option, fields);
      default:
        throw new Refusal(OPTION_REPLY.unsupported, `option ${option} is not supported`);
    }
  }

  async #startTls(fields: Fields): Promise<void> {
    const { tls, reader, writer, startTls } = this.#parts;
    if (fields.left > 0) throw new Refusal(OPTION_REPLY.invalid, 'the option has data');
    if (this.#secured) throw new Refusal(OPTION_REPLY.invalid, 'the connection is secured already');
    if (!tls) throw new Refusal(OPTION_REPLY.policy, 'this server has no certificate');
    this.#reply(OPTION.startTls, OPTION_REPLY.ack);
    await writer.flush();
    // What somebody has put in front of the handshake must not count as what the client says
    // behind it.
    if (reader.held > 0) throw protocolError('the client sends before TLS has begun');
    await startTls(tls);
    this.#secured = true;
    this.#structured = false;
    this.#contextOf = undefined;
  }

  #metaContext(option: number, fields: Fields): void {
    const setting = option === OPTION.setMetaContext;
    if (setting) this.#contextOf = undefined;
    const name = fields.countedText();
    const queries = Array.from({ length: queryCount(fields) }, () => fields.countedText());
    fields.end();
    if (!this.#structured) throw new Refusal(OPTION_REPLY.invalid, 'structured replies were not agreed on');
    this.#find(name);
    const matches = (query: string): boolean =>
      query === ALLOCATION_CONTEXT || (!setting && query === 'base:');
    if (queries.some(matches) || (!setting && queries.length === 0)) {
      const id = setting ? ALLOCATION_ID : 0;
      this.#reply(
        option,
        OPTION_REPLY.metaContext,
        new FieldWriter().u32(id).text(ALLOCATION_CONTEXT).done(),
      );
      if (setting) this.#contextOf = name;
    }
    this.#reply(option, OPTION_REPLY.ack);
  }

  #go(option: number, fields: Fields): Agreement | 'next' {
    const name = fields.countedText();
    const wanted = Array.from({ length: fields.u16() }, () => fields.u16());
    fields.end();
    const found = this.#find(name);
    const info = (data: Uint8Array): void => this.#reply(option, OPTION_REPLY.info, data);
    const { device } = found;
    info(new FieldWriter().u16(INFO.export).u64(device.sizeBytes).u16(this.#flags(device)).done());
    if (wanted.includes(INFO.name)) info(new FieldWriter().u16(INFO.name).text(found.name).done());
    if (wanted.includes(INFO.description) && found.description !== '') {
      info(new FieldWriter().u16(INFO.description).text(found.description).done());
    }
    if (wanted.includes(INFO.blockSize)) {
      const { minimumBytes } = device;
      const preferred = Math.max(PREFERRED_BYTES, minimumBytes);
      const sizes = new FieldWriter().u16(INFO.blockSize).u32(minimumBytes).u32(preferred);
      info(sizes.u32(NBD_LIMITS.requestBytes).done());
    }
    this.#reply(option, OPTION_REPLY.ack);
    return option === OPTION.info ? 'next' : this.#agree(found, name);
  }

  /** The old way to pick an export: there is no reply that refuses. */
  #exportName(data: Uint8Array): Agreement {
    if (this.#parts.tls && !this.#secured) throw protocolError('the client speaks no TLS');
    const fields = new Fields(data);
    const name = fields.text(fields.left);
    let found: NbdExport;
    try {
      found = this.#find(name);
    } catch (error) {
      throw error instanceof Refusal ? protocolError(error.message) : error;
    }
    const answer = new FieldWriter().u64(found.device.sizeBytes).u16(this.#flags(found.device));
    if (!this.#noZeroes) answer.bytes(new Uint8Array(EXPORT_NAME_ZEROES));
    this.#parts.writer.send(answer.done());
    return this.#agree(found, name);
  }

  #agree(found: NbdExport, name: string): Agreement {
    const allocation = this.#structured && this.#contextOf === name;
    return { export: found, structured: this.#structured, allocation };
  }

  #find(name: string): NbdExport {
    const exports = this.#parts.exports();
    const found = exports.find((one) => one.name === name) ?? (name === '' ? exports[0] : undefined);
    if (!found) throw new Refusal(OPTION_REPLY.unknown, 'there is no export of that name');
    return found;
  }

  #flags({ writeable }: NbdDevice): number {
    const { hasFlags, flush, fua, trim, writeZeroes, dontFragment, multiConnection, readOnly } = EXPORT_FLAG;
    const always = hasFlags | multiConnection | (this.#structured ? dontFragment : 0);
    return always | (writeable ? flush | fua | trim | writeZeroes : readOnly);
  }

  #reply(option: number, type: number, data: Uint8Array = new Uint8Array(0)): void {
    const header = new FieldWriter().u64(OPTION_REPLY_MAGIC).u32(option).u32(type).u32(data.byteLength);
    this.#parts.writer.send(header.bytes(data).done());
  }
}

function queryCount(fields: Fields): number {
  const count = fields.u32();
  if (count * 4 > fields.left) throw protocolError(`a message has no room for ${count} queries`);
  return count;
}

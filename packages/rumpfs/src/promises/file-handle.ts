/** An open file, with the methods of Node's `FileHandle`. */
import { Readable, Writable } from 'node:stream';
import {
  bufferOf,
  bytesOf,
  decoded,
  encodingOf,
  isWriteable,
  type Mode,
  modeNumber,
  type TimeLike,
  timeMs,
  type Writeable,
  type WriteableData,
} from './arguments.ts';
import { attempting, NodeError } from './node-error.ts';
import type { FsOperations, NodeFacts } from './operations.ts';
import { MountedBigIntStats, MountedStats } from './stats.ts';

const READ_BYTES = 64 * 1024;
const WHOLE_PIECE_BYTES = 512 * 1024;
const BUFFER_BYTES = 16 * 1024;

/** The result of a read. */
export interface ReadResult<View extends ArrayBufferView> {
  readonly bytesRead: number;
  readonly buffer: View;
}

/** Where a read puts what. */
export interface ReadOptions<View extends ArrayBufferView> {
  readonly buffer?: View;
  readonly offset?: number | null;
  readonly length?: number | null;
  /** Missing or null: where the last read or write without a position ended. */
  readonly position?: number | bigint | null;
}

/** What a stream of a file takes. */
export interface StreamOptions {
  readonly encoding?: BufferEncoding | null;
  readonly start?: number;
  /** The last byte that is read. */
  readonly end?: number;
  readonly highWaterMark?: number;
  /** Whether the end of the stream closes the file. */
  readonly autoClose?: boolean;
}

/** What the file tells of its end. */
export interface FileHandleParts {
  readonly operations: FsOperations;
  readonly handle: number;
  /** The file's content or attributes have changed. */
  readonly changed: () => void;
}

/** An open file. */
export class MountedFileHandle {
  readonly #operations: FsOperations;
  readonly #changed: () => void;
  #handle: number;
  #closing: Promise<void> | undefined;

  constructor({ operations, handle, changed }: FileHandleParts) {
    this.#operations = operations;
    this.#handle = handle;
    this.#changed = changed;
  }

  /** The number of the file in its file system, which is none of the host; -1 once it is closed. */
  get fd(): number {
    return this.#handle;
  }

  async read<View extends ArrayBufferView>(
    buffer: View,
    offset?: number | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<ReadResult<View>>;
  async read<View extends ArrayBufferView>(
    buffer: View,
    options?: Omit<ReadOptions<View>, 'buffer'>,
  ): Promise<ReadResult<View>>;
  async read<View extends ArrayBufferView = Buffer>(
    options?: ReadOptions<View>,
  ): Promise<ReadResult<View | Buffer>>;
  async read(
    first?: ArrayBufferView | ReadOptions<ArrayBufferView>,
    second?: number | null | ReadOptions<ArrayBufferView>,
    third?: number | null,
    fourth?: number | bigint | null,
  ): Promise<ReadResult<ArrayBufferView>> {
    const options: ReadOptions<ArrayBufferView> = ArrayBuffer.isView(first)
      ? typeof second === 'object' && second !== null
        ? { ...second, buffer: first }
        : { buffer: first, offset: second ?? 0, length: third ?? null, position: fourth ?? null }
      : (first ?? {});
    const { buffer = Buffer.alloc(BUFFER_BYTES), offset, length, position } = options;
    const into = part(bytesOf(buffer), offset, length);
    const bytesRead = await this.#readInto(into, position ?? null);
    return { bytesRead, buffer };
  }

  /** Fills several buffers, one after the other. */
  async readv<View extends ArrayBufferView>(
    buffers: readonly View[],
    position?: number | null,
  ): Promise<{ readonly bytesRead: number; readonly buffers: readonly View[] }> {
    let bytesRead = 0;
    for (const buffer of buffers) {
      const into = bytesOf(buffer);
      const at = typeof position === 'number' ? position + bytesRead : null;
      const length = await this.#readInto(into, at);
      bytesRead += length;
      if (length < into.length) break;
    }
    return { bytesRead, buffers };
  }

  async write<View extends ArrayBufferView>(
    buffer: View,
    offset?: number | null | { offset?: number; length?: number; position?: number | null },
    length?: number | null,
    position?: number | null,
  ): Promise<{ readonly bytesWritten: number; readonly buffer: View }>;
  async write(
    text: string,
    position?: number | null,
    encoding?: BufferEncoding | null,
  ): Promise<{ readonly bytesWritten: number; readonly buffer: string }>;
  async write(
    data: Writeable,
    second?: number | null | { offset?: number; length?: number; position?: number | null },
    third?: number | BufferEncoding | null,
    fourth?: number | null,
  ): Promise<{ readonly bytesWritten: number; readonly buffer: Writeable }> {
    if (typeof data === 'string') {
      const encoding = typeof third === 'string' ? third : 'utf8';
      const at = typeof second === 'number' ? second : null;
      return { bytesWritten: await this.#writeFrom(bytesOf(data, encoding), at), buffer: data };
    }
    const { offset, length, position } =
      typeof second === 'object' && second !== null
        ? second
        : { offset: second, length: typeof third === 'number' ? third : null, position: fourth };
    const from = part(bytesOf(data), offset, length);
    return { bytesWritten: await this.#writeFrom(from, position ?? null), buffer: data };
  }

  /** Writes several buffers, one after the other. */
  async writev<View extends ArrayBufferView>(
    buffers: readonly View[],
    position?: number | null,
  ): Promise<{ readonly bytesWritten: number; readonly buffers: readonly View[] }> {
    let bytesWritten = 0;
    for (const buffer of buffers) {
      const from = bytesOf(buffer);
      const at = typeof position === 'number' ? position + bytesWritten : null;
      const length = await this.#writeFrom(from, at);
      bytesWritten += length;
      if (length < from.length) break;
    }
    return { bytesWritten, buffers };
  }

  async readFile(options?: { encoding?: null; signal?: AbortSignal } | null): Promise<Buffer>;
  async readFile(
    options: { encoding: BufferEncoding; signal?: AbortSignal } | BufferEncoding,
  ): Promise<string>;
  async readFile(
    options?: { encoding?: BufferEncoding | null; signal?: AbortSignal } | BufferEncoding | null,
  ): Promise<Buffer | string>;
  async readFile(
    options?: { encoding?: BufferEncoding | null; signal?: AbortSignal } | BufferEncoding | null,
  ): Promise<Buffer | string> {
    const signal = typeof options === 'object' ? options?.signal : undefined;
    const pieces: Uint8Array[] = [];
    for (;;) {
      signal?.throwIfAborted();
      const piece = new Uint8Array(WHOLE_PIECE_BYTES);
      const length = await this.#readInto(piece, null);
      if (length === 0) break;
      pieces.push(piece.subarray(0, length));
    }
    return decoded(Buffer.concat(pieces), encodingOf<BufferEncoding>(options));
  }

  /** Writes from where the file stands on, and all of it. */
  async writeFile(
    data: WriteableData,
    options?: { encoding?: BufferEncoding | null; signal?: AbortSignal } | BufferEncoding | null,
  ): Promise<void> {
    const encoding = encodingOf<BufferEncoding>(options) ?? 'utf8';
    const signal = typeof options === 'object' ? options?.signal : undefined;
    for await (const piece of isWriteable(data) ? [data] : data) {
      signal?.throwIfAborted();
      await this.#writeAll(bytesOf(piece, encoding), null);
    }
  }

  appendFile(
    data: WriteableData,
    options?: { encoding?: BufferEncoding | null } | BufferEncoding | null,
  ): Promise<void> {
    return this.writeFile(data, options);
  }

  async stat(options?: { bigint?: false }): Promise<MountedStats>;
  async stat(options: { bigint: true }): Promise<MountedBigIntStats>;
  async stat(options?: { bigint?: boolean }): Promise<MountedStats | MountedBigIntStats>;
  async stat(options?: { bigint?: boolean }): Promise<MountedStats | MountedBigIntStats> {
    const facts: NodeFacts = await this.#do('fstat', (handle) => this.#operations.handleFacts(handle));
    return options?.bigint === true ? new MountedBigIntStats(facts) : new MountedStats(facts);
  }

  async truncate(length = 0): Promise<void> {
    await this.#do('ftruncate', (handle) => this.#operations.truncateHandle(handle, Math.max(0, length)));
    this.#changed();
  }

  /** Resolves when everything that was written so far is durable, of other files too. */
  sync(): Promise<void> {
    return this.#do('fsync', () => this.#operations.sync());
  }

  datasync(): Promise<void> {
    return this.#do('fdatasync', () => this.#operations.sync());
  }

  async utimes(accessed: TimeLike, modified: TimeLike): Promise<void> {
    const change = { accessedMs: timeMs(accessed), modifiedMs: timeMs(modified) };
    await this.#do('futime', (handle) => this.#operations.changeHandle(handle, change));
    this.#changed();
  }

  async chmod(mode: Mode): Promise<void> {
    const permissions = modeNumber(mode, 0) & 0o7777;
    await this.#do('fchmod', (handle) => this.#operations.changeHandle(handle, { permissions }));
    this.#changed();
  }

  async chown(uid: number, gid: number): Promise<void> {
    await this.#do('fchown', (handle) => this.#operations.changeHandle(handle, { uid, gid }));
    this.#changed();
  }

  createReadStream(options: StreamOptions | BufferEncoding = {}): Readable {
    const all = typeof options === 'string' ? { encoding: options } : options;
    const { encoding, highWaterMark = READ_BYTES, autoClose = true } = all;
    const stream = Readable.from(this.#pieces(all, highWaterMark), { objectMode: false, highWaterMark });
    if (encoding) stream.setEncoding(encoding);
    if (autoClose) stream.once('close', () => void this.close().catch(() => {}));
    return stream;
  }

  createWriteStream(options: StreamOptions | BufferEncoding = {}): Writable {
    const all: StreamOptions = typeof options === 'string' ? {} : options;
    const { start, highWaterMark = READ_BYTES, autoClose = true } = all;
    let position = start ?? null;
    return new Writable({
      highWaterMark,
      write: (chunk: Uint8Array, _encoding, done) => {
        const at = position;
        if (position !== null) position += chunk.length;
        this.#writeAll(chunk, at).then(() => done(), done);
      },
      destroy: (error, done) => {
        if (!autoClose) done(error);
        else this.close().then(() => done(error), done);
      },
    });
  }

  /** The content as a stream of the web. */
  readableWebStream(): ReadableStream<Uint8Array> {
    const pieces = this.#pieces({}, READ_BYTES);
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(new Uint8Array(value));
      },
    });
  }

  /** The lines of the file, without their ends. */
  async *readLines(options: StreamOptions = {}): AsyncGenerator<string, undefined, undefined> {
    const { encoding = 'utf8', autoClose = true } = options;
    let rest = '';
    const stream = this.createReadStream({ ...options, encoding: encoding ?? 'utf8', autoClose });
    for await (const text of stream) {
      const lines = `${rest}${String(text)}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield line.replace(/\r$/, '');
    }
    if (rest !== '') yield rest;
  }

  close(): Promise<void> {
    if (this.#handle === -1) return this.#closing ?? Promise.resolve();
    this.#closing = this.#do('close', (handle) => {
      this.#handle = -1;
      return this.#operations.close(handle);
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *#pieces(
    { start, end }: StreamOptions,
    pieceBytes: number,
  ): AsyncGenerator<Buffer, undefined, undefined> {
    let position = start ?? null;
    let left = end === undefined ? Number.POSITIVE_INFINITY : end - (start ?? 0) + 1;
    while (left > 0) {
      const piece = new Uint8Array(Math.min(pieceBytes, left));
      const length = await this.#readInto(piece, position);
      if (length === 0) return undefined;
      if (position !== null) position += length;
      left -= length;
      yield bufferOf(piece.subarray(0, length));
    }
    return undefined;
  }

  #readInto(into: Uint8Array, position: number | bigint | null): Promise<number> {
    const at = position === null || position < 0 ? null : Number(position);
    return this.#do('read', (handle) => this.#operations.read(handle, into, at));
  }

  async #writeFrom(from: Uint8Array, position: number | null): Promise<number> {
    const length = await this.#do('write', (handle) => this.#operations.write(handle, from, position));
    this.#changed();
    return length;
  }

  async #writeAll(from: Uint8Array, position: number | null): Promise<void> {
    for (let done = 0; done < from.length; ) {
      done += await this.#writeFrom(from.subarray(done), position === null ? null : position + done);
    }
  }

  #do<Result>(syscall: string, work: (handle: number) => Promise<Result>): Promise<Result> {
    if (this.#handle === -1) return Promise.reject(new NodeError('EBADF', { syscall }));
    return attempting({ syscall }, () => work(this.#handle));
  }
}

function part(
  bytes: Uint8Array,
  offset: number | null | undefined,
  length: number | null | undefined,
): Uint8Array {
  const from = offset ?? 0;
  const count = length ?? bytes.length - from;
  const sound = Number.isInteger(from) && Number.isInteger(count) && from >= 0 && count >= 0;
  if (sound && from + count <= bytes.length) return bytes.subarray(from, from + count);
  const problem = `${count} bytes from ${from} on are not within ${bytes.length}`;
  throw Object.assign(new RangeError(problem), { code: 'ERR_OUT_OF_RANGE' });
}

/** Bytes from and to Node's streams, at the pace of the component that reads and writes them. */
import type { Readable, Writable } from 'node:stream';
import { RpcError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { HostErrorCode, HostSink, HostSource } from '../../../runtime/host-access.ts';
import { hostError } from '../../host/host-error.ts';
import type { MemoryPins } from '../memory/memory-pins.ts';

/** The name of a stream in errors. */
export interface StreamName {
  readonly what: string;
  readonly path: string;
}

/** Reads a stream, but only when it is asked to. */
export class NodeSource implements HostSource {
  readonly #stream: Readable;
  readonly #name: StreamName;
  #reading = false;
  #failure: Error | undefined;
  #wake: () => void = () => {};
  readonly #readable = (): void => this.#wake();

  constructor(stream: Readable, name: StreamName) {
    this.#stream = stream;
    this.#name = name;
    const wake = this.#readable;
    stream.on('readable', wake).on('end', wake).on('close', wake);
    stream.on('error', (error) => {
      this.#failure = error;
      wake();
    });
  }

  /** Whether a read is under way. */
  get reading(): boolean {
    return this.#reading;
  }

  /** Takes nothing more from the stream, because something else does from now on. */
  leave(): void {
    this.#stream.off('readable', this.#readable);
  }

  async read(): Promise<Uint8Array | undefined> {
    const { what, path } = this.#name;
    if (this.#reading) {
      const code: HostErrorCode = 'Unsupported';
      throw new RpcError(code, `${what} "${path}" is being read already`);
    }
    this.#reading = true;
    try {
      for (;;) {
        const bytes = this.#take();
        if (bytes) return bytes;
        if (this.#failure) throw hostError(this.#failure, path, what);
        if (this.#stream.readableEnded || this.#stream.destroyed) return undefined;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#reading = false;
    }
  }

  #take(): Uint8Array | undefined {
    const { readableLength } = this.#stream;
    if (readableLength === 0) this.#stream.read(0);
    const size = Math.min(readableLength, LIMITS.hostReadBytes);
    const bytes: unknown = size > 0 ? this.#stream.read(size) : null;
    return bytes instanceof Uint8Array ? ownMemory(bytes) : undefined;
  }
}

/**
 * Bytes in memory of their own: a component gets to see nothing else. Node reads into memory that
 * it makes for each chunk, so they nearly always are; small ones may lie in a pool.
 */
function ownMemory(bytes: Uint8Array): Uint8Array {
  const { buffer, byteLength } = bytes;
  return buffer.byteLength === byteLength ? new Uint8Array(buffer) : new Uint8Array(bytes);
}

/** Writes to a stream, and takes the next bytes when there is room. */
export class NodeSink implements HostSink {
  readonly #stream: Writable;
  readonly #name: StreamName;
  readonly #pins: MemoryPins | undefined;

  constructor(stream: Writable, name: StreamName, pins: MemoryPins | undefined) {
    this.#stream = stream;
    this.#name = name;
    this.#pins = pins;
    // An error is told to the caller that writes.
    stream.on('error', () => {});
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength > LIMITS.hostWriteBytes) {
      const code: HostErrorCode = 'LimitExceeded';
      throw new RpcError(code, `more than ${LIMITS.hostWriteBytes} bytes in one write`);
    }
    const write = (): Promise<void> => this.#settled((done) => void this.#stream.write(bytes, done));
    await (this.#pins ? this.#pins.during(bytes, write) : write());
  }

  end(): Promise<void> {
    return this.#settled((done) => void this.#stream.end(done));
  }

  #settled(begin: (done: (error?: Error | null) => void) => void): Promise<void> {
    const { what, path } = this.#name;
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new RpcError<HostErrorCode>('Closed', `${what} "${path}" is closed`));
      if (this.#stream.destroyed) return gone();
      // A stream that is destroyed meanwhile may not call back, so its `close` event counts too.
      this.#stream.once('close', gone);
      begin((error) => {
        this.#stream.off('close', gone);
        if (!error) resolve();
        else if (this.#stream.destroyed && isDestroyed(error)) gone();
        else reject(hostError(error, path, what));
      });
    });
  }
}

function isDestroyed(error: Error): boolean {
  return String(Reflect.get(error, 'code')).startsWith('ERR_STREAM_');
}

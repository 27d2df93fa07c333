/** Connections in memory: what one end writes the other one reads, in chunks of any size. */
import { RpcError } from '@ginit/core';
import type { HostConnection, HostTls } from '@ginit/core/host';

/** Sizes of chunks, taken round and round. */
export type ChunkSizes = readonly number[];

/** One direction. */
class Way {
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #wake: () => void = () => {};
  bytes = 0;

  put(bytes: Uint8Array, sizes: ChunkSizes): void {
    if (this.#ended) throw new RpcError('Closed', 'the pipe is closed');
    const copy = bytes.slice();
    this.bytes += copy.byteLength;
    for (let at = 0, turn = 0; at < copy.byteLength; turn++) {
      const size = sizes[turn % sizes.length] ?? copy.byteLength;
      this.#chunks.push(copy.subarray(at, at + size));
      at += size;
    }
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  cut(): void {
    this.#chunks.length = 0;
    this.end();
  }

  async take(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) return chunk;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** One end of a connection in memory. */
export class PipeEnd implements HostConnection {
  readonly peer = 'a test';
  readonly #in: Way;
  readonly #out: Way;
  readonly #sizes: ChunkSizes;
  secured: HostTls | undefined;

  constructor(incoming: Way, outgoing: Way, sizes: ChunkSizes) {
    this.#in = incoming;
    this.#out = outgoing;
    this.#sizes = sizes;
  }

  /** Bytes that this end has written. */
  get written(): number {
    return this.#out.bytes;
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#in.take();
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#out.put(bytes, this.#sizes);
  }

  async startTls(tls: HostTls): Promise<void> {
    this.secured = tls;
  }

  async end(): Promise<void> {
    this.#out.end();
  }

  async close(): Promise<void> {
    this.#out.end();
    this.#in.cut();
  }
}

/** Both ends of a connection. */
export function pipe(sizes: ChunkSizes = [65_536]): [PipeEnd, PipeEnd] {
  const [there, back] = [new Way(), new Way()];
  return [new PipeEnd(back, there, sizes), new PipeEnd(there, back, sizes)];
}

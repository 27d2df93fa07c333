/**
 * Puts messages into a stream of bytes. Whatever is written while the stream is busy goes out
 * together: a hundred small replies are one write, not a hundred. The room for a message is handed
 * out and filled at once, so that a payload is copied exactly once on its way.
 */
import type { HostSink } from '@ginit/core/host';
import { NbdConnectionError } from './nbd-error.ts';

/** A stream of bytes that goes out. */
export type ByteSink = Pick<HostSink, 'write'>;

/** As much as a read of 256 KiB, which clients like, with its header and a few small replies. */
const BATCH_BYTES = 256 * 1024 + 4096;
/** Bytes of one write: a larger message goes out in several. */
const WRITE_BYTES_MAX = 4 * 1024 * 1024;
/** Batches that are kept to be used again. */
const SPARE_MAX = 4;

/** Messages that go out in one write. */
interface Batch {
  readonly bytes: Uint8Array;
  /** Whether its memory may hold other messages afterwards. */
  readonly reusable: boolean;
  used: number;
  readonly done: (() => void)[];
}

export class ByteWriter {
  readonly #sink: ByteSink;
  readonly #failed: (error: unknown) => void;
  readonly #queue: Batch[] = [];
  readonly #spare: Uint8Array[] = [];
  #writing = false;
  #failure: unknown;
  #writes = 0;

  /** `failed` is called once, when the stream takes no more. */
  constructor(sink: ByteSink, failed: (error: unknown) => void) {
    this.#sink = sink;
    this.#failed = failed;
  }

  /** How many writes the stream has taken. */
  get writes(): number {
    return this.#writes;
  }

  /**
   * Room for a message of so many bytes, which must be filled before anything else is done. `done`
   * is called when it has gone out, or when it never will.
   */
  message(bytes: number, done?: () => void): Uint8Array {
    const batch = this.#batchFor(bytes);
    const room = batch.bytes.subarray(batch.used, batch.used + bytes);
    batch.used += bytes;
    if (done) batch.done.push(done);
    this.#start();
    return room;
  }

  /** Writes a copy of a message. */
  send(message: Uint8Array): void {
    this.message(message.byteLength).set(message);
  }

  /**
   * Writes bytes behind the last message as they are, without a copy. They must not change until
   * `done` is called, when they have gone out, or when they never will.
   */
  append(bytes: Uint8Array, done: () => void): void {
    this.#queue.push({ bytes, reusable: false, used: bytes.byteLength, done: [done] });
    this.#start();
  }

  /** Settles when everything that was written has gone out; rejects if it never will. */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (this.#failure === undefined) resolve();
        else reject(this.#failure);
      };
      if (this.#queue.length === 0 && !this.#writing) settle();
      else this.message(0, settle);
    });
  }

  #start(): void {
    if (this.#writing) return;
    this.#writing = true;
    // The message is filled by then.
    void Promise.resolve().then(() => this.#write());
  }

  #batchFor(bytes: number): Batch {
    const last = this.#queue.at(-1);
    if (last && last.bytes.byteLength - last.used >= bytes) return last;
    const reusable = bytes <= BATCH_BYTES;
    const memory = reusable ? (this.#spare.pop() ?? new Uint8Array(BATCH_BYTES)) : new Uint8Array(bytes);
    const batch = { bytes: memory, reusable, used: 0, done: [] };
    this.#queue.push(batch);
    return batch;
  }

  async #write(): Promise<void> {
    for (let batch = this.#queue.shift(); batch; batch = this.#queue.shift()) {
      if (this.#failure === undefined && batch.used > 0) {
        try {
          await this.#writeOut(batch.bytes.subarray(0, batch.used));
        } catch (error) {
          this.#failure = error ?? new NbdConnectionError('Ended', 'the connection is closed');
          this.#failed(this.#failure);
        }
      }
      if (batch.reusable && this.#spare.length < SPARE_MAX) this.#spare.push(batch.bytes);
      for (const done of batch.done) done();
    }
    this.#writing = false;
  }

  async #writeOut(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; at += WRITE_BYTES_MAX) {
      await this.#sink.write(bytes.subarray(at, at + WRITE_BYTES_MAX));
      this.#writes++;
    }
  }
}

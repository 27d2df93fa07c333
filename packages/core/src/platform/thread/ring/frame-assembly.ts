/**
 * Puts frames together from the records of a ring. Short frames use one buffer of the thread, over
 * and over. A frame in parts has a buffer of its own, which grows as its bytes arrive, so that a
 * peer which only announces a long frame costs nothing.
 */
import { PrefixViews } from '../../../message/prefix-views.ts';
import type { ByteRingReader } from '../../wire/byte-ring.ts';

/** Frames up to this length go through the thread's buffer. */
const SHARED_BUFFER_BYTES = 16 * 1024;
const FIRST_BUFFER_BYTES = 64 * 1024;

interface ThreadBuffer {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly views: PrefixViews;
}

function makeBuffer(): ThreadBuffer {
  const buffer = new ArrayBuffer(SHARED_BUFFER_BYTES);
  return { bytes: new Uint8Array(buffer), words: new Int32Array(buffer), views: new PrefixViews() };
}

/** The buffers that are free. More than one is in use only while handlers are nested. */
const freeBuffers: ThreadBuffer[] = [];
const lentBuffers: ThreadBuffer[] = [];

/** The frame of one channel that is being put together. */
export class FrameAssembly {
  readonly #frameBytesMax: number;
  #buffer: ThreadBuffer | undefined;
  /** A long frame, with the parts that have come so far. */
  #long: Uint8Array | undefined;
  #lengthBytes = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Adds the record at which the reader stands. False if the frame becomes too long. */
  append(reader: ByteRingReader): boolean {
    const before = this.#lengthBytes;
    const after = before + reader.lengthBytes;
    if (after > this.#frameBytesMax) return false;
    this.#lengthBytes = after;
    if (before === 0 && !this.#long && after <= SHARED_BUFFER_BYTES) {
      this.#buffer ??= freeBuffers.pop() ?? makeBuffer();
      reader.copyTo(this.#buffer.bytes, this.#buffer.words);
      return true;
    }
    this.#long = this.#grown(before, after);
    reader.appendTo(this.#long, before);
    return true;
  }

  /** The whole frame. Call `giveBack` with it when it has been handled. */
  take(): Uint8Array {
    const length = this.#lengthBytes;
    const buffer = this.#buffer;
    const long = this.#long;
    this.#lengthBytes = 0;
    this.#buffer = undefined;
    this.#long = undefined;
    if (buffer && !long) {
      lentBuffers.push(buffer);
      return buffer.views.upTo(buffer.bytes, length);
    }
    if (buffer) freeBuffers.push(buffer);
    return long ? long.subarray(0, length) : new Uint8Array(0);
  }

  /** The frame that was taken last is not needed any more. */
  giveBack(frame: Uint8Array): void {
    const last = lentBuffers.at(-1);
    if (!last || last.bytes.buffer !== frame.buffer) return;
    lentBuffers.pop();
    freeBuffers.push(last);
  }

  #grown(before: number, after: number): Uint8Array {
    const known = this.#long;
    if (known && known.byteLength >= after) return known;
    let size = Math.max(FIRST_BUFFER_BYTES, known?.byteLength ?? 0);
    while (size < after) size *= 2;
    const grown = new Uint8Array(Math.min(size, this.#frameBytesMax));
    if (known) grown.set(known.subarray(0, before));
    else if (this.#buffer) grown.set(this.#buffer.bytes.subarray(0, before));
    return grown;
  }
}

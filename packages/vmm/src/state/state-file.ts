/**
 * The file with the state of a machine. It begins with a line that names the format. Frames follow:
 * length of the content (32 bits, little-endian, 1 MiB at most), the CRC-32 of all content up to
 * its end (32 bits), content. A frame without content is the last one, and the end of the file.
 *
 * So whatever was changed, left out, added or put elsewhere is noticed by the frame behind it at
 * the latest, and no length that stands in a file makes anybody take more memory than for a frame.
 */
import { crc32 } from 'node:zlib';
import { StateError, type StateSink, type StateSource } from './state-stream.ts';

/** The first line: the number grows when the format changes. */
export const STATE_MAGIC = 'ginit machine state 1\n';
/** The content of a frame. */
export const FRAME_BYTES_MAX = 1024 * 1024;
const FRAME_HEADER_BYTES = 8;
/** The memory that a frame begins with. */
const SMALL_BYTES = 4096;
const CUT_OFF = 'it is cut off';

/** A file that is written from the beginning on. */
export interface WrittenFile {
  write(position: number, bytes: Uint8Array): Promise<void>;
}

/** A file that is read. Fewer bytes than asked for are its end. */
export interface ReadFile {
  read(position: number, into: Uint8Array): Promise<number>;
}

/** Writes a state. */
export class StateWriter implements StateSink {
  readonly #file: WrittenFile;
  #frame = new Uint8Array(SMALL_BYTES);
  #filled = 0;
  #position = 0;
  #checksum = 0;

  constructor(file: WrittenFile) {
    this.#file = file;
  }

  /** The bytes of the file so far. */
  get sizeBytes(): number {
    return this.#position;
  }

  /** Writes the line at the front. */
  async begin(): Promise<void> {
    await this.#put(new TextEncoder().encode(STATE_MAGIC));
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; ) {
      const piece = bytes.subarray(at, at + FRAME_BYTES_MAX - this.#filled);
      const end = FRAME_HEADER_BYTES + this.#filled + piece.byteLength;
      this.#frame = withRoom(this.#frame, end);
      this.#frame.set(piece, end - piece.byteLength);
      this.#filled += piece.byteLength;
      at += piece.byteLength;
      if (this.#filled === FRAME_BYTES_MAX) await this.#flush();
    }
  }

  /** Writes what is left, and the end. */
  async end(): Promise<void> {
    if (this.#filled > 0) await this.#flush();
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const end = FRAME_HEADER_BYTES + this.#filled;
    this.#checksum = crc32(this.#frame.subarray(FRAME_HEADER_BYTES, end), this.#checksum);
    const header = new DataView(this.#frame.buffer);
    header.setUint32(0, this.#filled, true);
    header.setUint32(4, this.#checksum, true);
    this.#filled = 0;
    await this.#put(this.#frame.subarray(0, end));
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await this.#file.write(this.#position, bytes);
    this.#position += bytes.byteLength;
  }
}

/** What stands in front of a frame. */
interface FrameHeader {
  readonly length: number;
  readonly checksum: number;
}

/** A frame as it was read, with the header of the next one: they come at a time. */
interface ReadFrame {
  readonly content: Uint8Array;
  readonly checksum: number;
  /** Missing behind the last frame, and where the file is cut off. */
  readonly next: FrameHeader | undefined;
}

/**
 * Reads a state. Everything rejects with `StateError` if the file is not as it was written. While
 * one frame is used, the next one is read already.
 */
export class StateReader implements StateSource {
  readonly #file: ReadFile;
  /** They take turns. */
  #spare = new Uint8Array(SMALL_BYTES);
  #used = new Uint8Array(SMALL_BYTES);
  /** The content of the frame that has not been given out yet. */
  #left: Uint8Array = this.#used.subarray(0, 0);
  /** What is read ahead. */
  #ahead: Promise<ReadFrame> | undefined;
  /** Where the next read begins, and where the frame that is used ends. */
  #position = 0;
  #usedEnd = 0;
  #checksum = 0;
  #isAtEnd = false;

  constructor(file: ReadFile) {
    this.#file = file;
  }

  /** Reads the line at the front. */
  async begin(): Promise<void> {
    const expected = new TextEncoder().encode(STATE_MAGIC);
    const line = await this.#take(new Uint8Array(expected.byteLength));
    const text = new TextDecoder('latin1').decode(line);
    if (text === STATE_MAGIC) return;
    const isOther = text.startsWith('ginit machine state ');
    throw new StateError(
      isOther ? 'it is of another format, of another version of ginit' : 'it is no state of a machine',
    );
  }

  async read(length: number): Promise<Uint8Array> {
    if (this.#left.byteLength === 0 && length > 0) await this.#next();
    if (length <= this.#left.byteLength) return this.#give(length);
    const pieces: Uint8Array[] = [];
    for (let missing = length; missing > 0; ) {
      if (this.#left.byteLength === 0) await this.#next();
      const piece = this.#give(Math.min(missing, this.#left.byteLength)).slice();
      pieces.push(piece);
      missing -= piece.byteLength;
    }
    return Buffer.concat(pieces);
  }

  async readInto(into: Uint8Array): Promise<void> {
    for (let filled = 0; filled < into.byteLength; ) {
      if (this.#left.byteLength === 0) await this.#next();
      const piece = this.#give(Math.min(into.byteLength - filled, this.#left.byteLength));
      into.set(piece, filled);
      filled += piece.byteLength;
    }
  }

  /** Reads on to the end, which must come without anything behind it. */
  async end(): Promise<void> {
    if (this.#left.byteLength > 0) throw new StateError('there is more in it than belongs there');
    await this.#nextFrame();
    if (!this.#isAtEnd) throw new StateError('there is more in it than belongs there');
    if ((await this.#file.read(this.#position, new Uint8Array(1))) > 0) throw this.#damaged();
  }

  /** Reads on to the end, whatever stands there. */
  async skip(): Promise<void> {
    while (!this.#isAtEnd) await this.#nextFrame();
    if ((await this.#file.read(this.#position, new Uint8Array(1))) > 0) throw this.#damaged();
  }

  /** Settles when nothing is read ahead: then the file may be closed. */
  async settled(): Promise<void> {
    await this.#ahead?.catch(() => {});
  }

  #give(length: number): Uint8Array {
    const piece = this.#left.subarray(0, length);
    this.#left = this.#left.subarray(length);
    return piece;
  }

  async #next(): Promise<void> {
    await this.#nextFrame();
    if (this.#isAtEnd) throw new StateError('something is missing at its end');
  }

  async #nextFrame(): Promise<void> {
    if (this.#isAtEnd) return;
    const ahead = this.#ahead ?? this.#readFrame(await this.#firstHeader());
    this.#ahead = undefined;
    const { content, checksum, next } = await ahead;
    this.#usedEnd += FRAME_HEADER_BYTES + content.byteLength;
    this.#checksum = crc32(content, this.#checksum);
    if (this.#checksum !== checksum) throw this.#damaged();
    [this.#used, this.#spare] = [this.#spare, this.#used];
    this.#left = content;
    this.#isAtEnd = content.byteLength === 0;
    if (this.#isAtEnd) return;
    this.#ahead = next ? this.#readFrame(next) : Promise.reject(new StateError(CUT_OFF));
    // Whoever wants the next frame hears of it.
    this.#ahead.catch(() => {});
  }

  async #firstHeader(): Promise<FrameHeader> {
    this.#usedEnd = this.#position;
    return headerIn(await this.#take(new Uint8Array(FRAME_HEADER_BYTES)));
  }

  /** Reads a frame into the spare buffer. */
  async #readFrame({ length, checksum }: FrameHeader): Promise<ReadFrame> {
    if (length > FRAME_BYTES_MAX) throw this.#damaged(FRAME_HEADER_BYTES);
    const isLast = length === 0;
    const wanted = isLast ? 0 : length + FRAME_HEADER_BYTES;
    this.#spare = withRoom(this.#spare, wanted);
    const into = this.#spare.subarray(0, wanted);
    const bytes = isLast ? 0 : await this.#file.read(this.#position, into);
    if (bytes < length) throw new StateError(CUT_OFF);
    this.#position += bytes;
    const next = !isLast && bytes === wanted ? headerIn(into.subarray(length)) : undefined;
    return { content: into.subarray(0, length), checksum, next };
  }

  async #take(into: Uint8Array): Promise<Uint8Array> {
    const bytes = await this.#file.read(this.#position, into);
    if (bytes < into.byteLength) throw new StateError(CUT_OFF);
    this.#position += bytes;
    return into;
  }

  #damaged(beyond = 0): StateError {
    return new StateError(`it is damaged before byte ${this.#usedEnd + beyond}`);
  }
}

function headerIn(bytes: Uint8Array): FrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  return { length: view.getUint32(0, true), checksum: view.getUint32(4, true) };
}

/** The same bytes, in memory that has room for so many. */
function withRoom(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength >= length) return bytes;
  const most = FRAME_HEADER_BYTES + FRAME_BYTES_MAX;
  const larger = new Uint8Array(Math.min(most, Math.max(length, 2 * bytes.byteLength)));
  larger.set(bytes);
  return larger;
}

/**
 * A Block session as a device of bytes. Clients that keep to whole blocks, as nearly all do, have
 * their data copied once on its way: between the packet stream and the message. Those that do not
 * (copying programs write the odd end of a file as it is) cost a read of the blocks at the edges.
 */
import { inPieces } from '@ginit/core/async';
import type { BlockClient } from '@ginit/core/block';
import { copyInto } from '@ginit/core/packet-stream';
import { isZero } from '../lib/is-zero.ts';
import { RangeOrder } from '../lib/range-order.ts';
import { SpareMemory } from '../lib/spare-memory.ts';
import type { Extent, NbdDevice } from '../nbd/server/nbd-device.ts';

/** The session as the device uses it. */
export type ExportedSession = Pick<
  BlockClient,
  'info' | 'requestBlocksMax' | 'read' | 'readWith' | 'write' | 'writeWith' | 'sync' | 'trim' | 'writeZeroes'
>;

/** Pieces of one request that are under way, where it is larger than the session's requests. */
const PIECES_UNDER_WAY = 4;
/** Reads above that have memory of their own: batches of messages have room for smaller ones. */
const LARGE_BYTES = 256 * 1024;
/** Memory that an export keeps for its next large reads. */
const SPARE_BYTES_MAX = 8 * 1024 * 1024;
/** The size of the pieces that are looked at for zeros. */
const GRANULE_BYTES = 64 * 1024;

/** The blocks that a range of bytes touches. */
interface Blocks {
  readonly first: number;
  readonly count: number;
  /** Bytes of the first block that lie before the range. */
  readonly skip: number;
  readonly aligned: boolean;
}

export class ExportedDevice implements NbdDevice {
  readonly #session: ExportedSession;
  readonly #detectZeroes: boolean;
  readonly #order = new RangeOrder();
  /** For large reads. */
  readonly #memory = new SpareMemory(SPARE_BYTES_MAX);

  /** With `detectZeroes` the device is read to answer where it has zeros. */
  constructor(session: ExportedSession, detectZeroes = false) {
    this.#session = session;
    this.#detectZeroes = detectZeroes;
  }

  get sizeBytes(): number {
    const { blockSize, blockCount } = this.#session.info;
    return blockSize * blockCount;
  }

  get writeable(): boolean {
    return this.#session.info.writeable;
  }

  get minimumBytes(): number {
    return this.#session.info.blockSize;
  }

  read(
    position: number,
    bytes: number,
    use: (payload: Uint8Array, release?: () => void) => void,
  ): Promise<void> {
    const { first, count, skip, aligned } = this.#blocks(position, bytes);
    const part = (payload: Uint8Array): Uint8Array =>
      aligned ? payload : payload.subarray(skip, skip + bytes);
    if (bytes > LARGE_BYTES || count > this.#session.requestBlocksMax) {
      return this.#readLarge(first, count, (payload, release) => use(part(payload), release));
    }
    return this.#session.readWith(first, count, (payload) => use(part(payload)));
  }

  write(position: number, bytes: number, parts: readonly Uint8Array[]): Promise<void> {
    const { first, count, skip, aligned } = this.#blocks(position, bytes);
    const write = async (): Promise<void> => {
      if (!aligned) return this.#merge(first, count, skip, parts);
      if (count > this.#session.requestBlocksMax) return this.#writeLarge(first, count, parts);
      return this.#session.writeWith(first, count, (payload) => gather(payload, 0, parts));
    };
    return this.#order.run(first, first + count, !aligned, write);
  }

  flush(): Promise<void> {
    return this.#session.sync();
  }

  /** Blocks that lie in the range only in part keep what they hold. */
  async trim(position: number, bytes: number): Promise<void> {
    const { first, last } = this.#inside(position, bytes);
    if (last <= first) return;
    await this.#order.run(first, last, false, () => this.#session.trim(first, last - first));
  }

  async writeZeroes(position: number, bytes: number): Promise<void> {
    const { first, last } = this.#inside(position, bytes);
    const size = this.minimumBytes;
    if (last <= first) return this.#writeZeros(position, bytes);
    if (position < first * size) await this.#writeZeros(position, first * size - position);
    await this.#order.run(first, last, false, () => this.#session.writeZeroes(first, last - first));
    const end = position + bytes;
    if (last * size < end) await this.#writeZeros(last * size, end - last * size);
  }

  async extents(position: number, bytes: number): Promise<readonly Extent[]> {
    if (!this.#detectZeroes) return [{ bytes, zero: false }];
    const most = this.#session.requestBlocksMax * this.minimumBytes;
    const { skip } = this.#blocks(position, bytes);
    const looked = Math.min(bytes, most - skip);
    const found: { bytes: number; zero: boolean }[] = [];
    await this.read(position, looked, (payload) => {
      for (let at = 0; at < looked; at += GRANULE_BYTES) {
        const part = payload.subarray(at, at + GRANULE_BYTES);
        const zero = isZero(part);
        const last = found.at(-1);
        if (last?.zero === zero) last.bytes += part.byteLength;
        else found.push({ bytes: part.byteLength, zero });
      }
    });
    return found;
  }

  async #readLarge(
    first: number,
    count: number,
    use: (payload: Uint8Array, release: () => void) => void,
  ): Promise<void> {
    const bytes = count * this.minimumBytes;
    const memory = this.#memory.take(bytes);
    const release = (): void => this.#memory.give(memory);
    try {
      await this.#session.read(first, count, memory.subarray(0, bytes));
    } catch (error) {
      release();
      throw error;
    }
    use(memory.subarray(0, bytes), release);
  }

  /** Several writes, each of which takes its piece out of the parts when it is its turn. */
  async #writeLarge(first: number, count: number, parts: readonly Uint8Array[]): Promise<void> {
    const size = this.minimumBytes;
    const pieces = { total: count, pieceMax: this.#session.requestBlocksMax, underWayMax: PIECES_UNDER_WAY };
    await inPieces(pieces, (at, blocks) =>
      this.#session.writeWith(first + at, blocks, (payload) => gather(payload, 0, parts, at * size)),
    );
  }

  /** Writes whole blocks, of which those at the edges keep what lies outside of the parts. */
  async #merge(first: number, count: number, skip: number, parts: readonly Uint8Array[]): Promise<void> {
    const size = this.minimumBytes;
    const whole = new Uint8Array(count * size);
    await this.#session.read(first, 1, whole.subarray(0, size));
    if (count > 1) await this.#session.read(first + count - 1, 1, whole.subarray((count - 1) * size));
    gather(whole, skip, parts);
    await this.#session.write(first, count, whole);
  }

  #writeZeros(position: number, bytes: number): Promise<void> {
    return this.write(position, bytes, [new Uint8Array(bytes)]);
  }

  #blocks(position: number, bytes: number): Blocks {
    const size = this.minimumBytes;
    const first = Math.floor(position / size);
    const count = Math.ceil((position + bytes) / size) - first;
    const skip = position - first * size;
    return { first, count, skip, aligned: skip === 0 && bytes === count * size };
  }

  /** The blocks that lie in a range as a whole: from `first` to before `last`. */
  #inside(position: number, bytes: number): { first: number; last: number } {
    const size = this.minimumBytes;
    return { first: Math.ceil(position / size), last: Math.floor((position + bytes) / size) };
  }
}

/** Puts parts one behind the other, without their first `skip` bytes, until the place is full. */
function gather(into: Uint8Array, start: number, parts: readonly Uint8Array[], skip = 0): void {
  let at = start;
  let left = skip;
  for (const part of parts) {
    if (left >= part.byteLength) {
      left -= part.byteLength;
      continue;
    }
    if (at >= into.byteLength) return;
    const taken =
      left > 0 || part.byteLength > into.byteLength - at
        ? part.subarray(left, left + into.byteLength - at)
        : part;
    copyInto(into, taken, at);
    at += taken.byteLength;
    left = 0;
  }
}

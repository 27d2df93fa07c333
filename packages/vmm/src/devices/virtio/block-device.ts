/**
 * A virtio block device (Virtual I/O Device specification 1.2, 5.2) over a Block session. Any
 * number of requests is under way, up to the size of the queue; each is answered when its disk
 * request has ended, in whatever order. FLUSH is SYNC, DISCARD is TRIM. A driver that has not taken
 * the feature FLUSH knows no volatile cache (5.2.6.2): each of its writes is followed by a SYNC.
 *
 * No payload lies anywhere between guest memory and the packet stream: it is copied when the stream
 * has room, and when the answer is there. If the guest resets the device meanwhile, what has not
 * gone out is not sent, and what comes back does not reach guest memory. What has gone out already
 * can no longer be called back, so the device takes nothing of the new driver until that has ended:
 * a late write would land on a newer one.
 */
import { RpcError } from '@ginit/core';
import { inPieces } from '@ginit/core/async';
import type { BlockClient } from '@ginit/core/block';
import {
  gather,
  GuestFault,
  type GuestMemory,
  type GuestSegment,
  scatter,
  sliceSegments,
  totalLength,
} from '../guest-memory.ts';
import type { RequestCounts } from '../request-counts.ts';
import { FEATURE, type VirtioDevice } from './device.ts';
import type { DescriptorChain, SplitQueue } from './split-queue.ts';

/** The part of a Block session that the device uses. */
export type BlockDisk = Pick<
  BlockClient,
  'info' | 'requestBlocksMax' | 'readWith' | 'writeWith' | 'sync' | 'trim'
>;

/** What the device tells its surroundings. */
export interface BlockDeviceHost {
  readonly counts: RequestCounts;
  /** A request has been given back, and the driver wants to know. */
  interrupt(): void;
  /** The guest has told us something impossible. */
  fail(reason: string): void;
  /** A request has failed at the disk. */
  diskFailed(error: RpcError): void;
  /** The guest has reset the device: nobody wants to know any more what becomes of its requests. */
  givenUp(): void;
}

/** The number of the type `block device`. */
const BLOCK_TYPE = 2;
const SECTOR_BYTES = 512;
const HEADER_BYTES = 16;
const FEATURE_SEGMENTS_MAX = 2;
const FEATURE_READ_ONLY = 5;
const FEATURE_BLOCK_SIZE = 6;
const FEATURE_FLUSH = 9;
const FEATURE_DISCARD = 13;
/** Descriptors of a request that carry no data: its header and its status. */
const FRAME_DESCRIPTORS = 2;
const CONFIG_BYTES = 60;
const IDENTITY_BYTES = 20;
const DISCARD_SEGMENT_BYTES = 16;
const DISCARD_SEGMENTS_MAX = 16;
const DISCARD_SECTORS_MAX = 2 ** 22;
/** Pieces of one request that are under way at a time. */
const PIECES_UNDER_WAY = 4;

const REQUEST = { read: 0, write: 1, flush: 4, identity: 8, discard: 11 } as const;
const STATUS = { ok: 0, failed: 1, unsupported: 2 } as const;

/** Ends a request with a status of its own. */
class Ended extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`ended with status ${status}`);
    this.status = status;
  }
}

/** A request, taken apart. */
interface BlockRequest {
  readonly type: number;
  readonly sector: number;
  readonly chain: DescriptorChain;
  /** The data: what is written to the disk, or what is read from it. */
  readonly data: readonly GuestSegment[];
  readonly status: GuestSegment;
}

/** One disk of a guest. */
export class VirtioBlockDevice implements VirtioDevice {
  readonly type = BLOCK_TYPE;
  readonly pciClass = [1, 0, 0] as const;
  readonly features: readonly number[];
  readonly config: Uint8Array;
  readonly #disk: BlockDisk;
  readonly #memory: GuestMemory;
  readonly #queue: SplitQueue;
  readonly #host: BlockDeviceHost;
  readonly #identity: string;
  /** Grows with every reset, so that requests from before it find that out. */
  #generation = 0;
  /** Requests that were taken and have not ended; those of before a reset among them. */
  #open = 0;
  #openOfBefore = 0;
  /** The driver has put something into the queue while requests of before the reset were open. */
  #isToLookAgain = false;
  /** The driver knows of the cache, and flushes it. */
  #flushes = false;

  /** `identity` is shown to the guest as the serial number of the disk. */
  constructor(
    disk: BlockDisk,
    memory: GuestMemory,
    queue: SplitQueue,
    host: BlockDeviceHost,
    identity: string,
  ) {
    this.#disk = disk;
    this.#memory = memory;
    this.#queue = queue;
    this.#host = host;
    this.#identity = identity;
    const { writeable, blockSize, blockCount } = disk.info;
    this.features = [
      FEATURE_SEGMENTS_MAX,
      FEATURE_BLOCK_SIZE,
      ...(writeable ? [FEATURE_FLUSH, FEATURE_DISCARD] : [FEATURE_READ_ONLY]),
      FEATURE.indirectDescriptors,
      FEATURE.version1,
    ];
    this.config = new Uint8Array(CONFIG_BYTES);
    const view = new DataView(this.config.buffer);
    view.setBigUint64(0, BigInt(blockCount) * BigInt(blockSize / SECTOR_BYTES), true);
    view.setUint32(12, queue.sizeMax - FRAME_DESCRIPTORS, true);
    view.setUint32(20, blockSize, true);
    view.setUint32(36, DISCARD_SECTORS_MAX, true);
    view.setUint32(40, DISCARD_SEGMENTS_MAX, true);
    view.setUint32(44, blockSize / SECTOR_BYTES, true);
  }

  driverReady(accepted: (bit: number) => boolean): void {
    this.#flushes = accepted(FEATURE_FLUSH);
  }

  notified(): void {
    if (this.#openOfBefore > 0) {
      this.#isToLookAgain = true;
      return;
    }
    for (let chain = this.#queue.take(); chain; chain = this.#queue.take()) this.#begin(chain);
  }

  resumed(): void {
    for (const chain of this.#queue.takeAgain()) this.#begin(chain);
  }

  reset(): void {
    this.#generation++;
    this.#openOfBefore = this.#open;
    this.#isToLookAgain = false;
    this.#host.givenUp();
  }

  #begin(chain: DescriptorChain): void {
    const request = this.#takeApart(chain);
    const generation = this.#generation;
    this.#open++;
    this.#perform(request)
      .then(
        (bytes) => this.#end(request, generation, STATUS.ok, bytes),
        (error: unknown) => this.#end(request, generation, this.#statusOf(error, generation), 0),
      )
      .finally(() => this.#settled(generation));
  }

  /** A request is no longer under way at the disk. */
  #settled(generation: number): void {
    this.#open--;
    if (generation === this.#generation) return;
    this.#openOfBefore--;
    if (this.#openOfBefore > 0 || !this.#isToLookAgain) return;
    this.#isToLookAgain = false;
    this.#guarded(() => this.notified());
  }

  #statusOf(error: unknown, generation: number): number {
    if (error instanceof Ended) return error.status;
    if (!(error instanceof GuestFault || error instanceof RpcError)) throw error;
    // The new driver is not to blame for what the one before it has asked for.
    if (generation !== this.#generation) return STATUS.failed;
    if (error instanceof GuestFault) this.#host.fail(error.message);
    else this.#host.diskFailed(error);
    return STATUS.failed;
  }

  #end(request: BlockRequest, generation: number, status: number, bytes: number): void {
    if (generation !== this.#generation) return;
    this.#guarded(() => {
      scatter(this.#memory, [request.status], Uint8Array.of(status));
      if (this.#queue.complete(request.chain, bytes + 1)) this.#host.interrupt();
    });
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      this.#host.fail(error.message);
    }
  }

  /**
   * The header is at the front of what the device reads, the status at the end of what it writes.
   */
  #takeApart(chain: DescriptorChain): BlockRequest {
    const readBytes = totalLength(chain.readable);
    const writeBytes = totalLength(chain.writable);
    if (readBytes < HEADER_BYTES || writeBytes < 1) {
      throw new GuestFault('a request without a header, or without room for its status');
    }
    const header = new Uint8Array(HEADER_BYTES);
    gather(this.#memory, sliceSegments(chain.readable, 0, HEADER_BYTES), header);
    const view = new DataView(header.buffer);
    const type = view.getUint32(0, true);
    const sector = view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32;
    const [status] = sliceSegments(chain.writable, writeBytes - 1, 1);
    if (!status) throw new GuestFault('a request without room for its status');
    const data =
      writeBytes > 1
        ? sliceSegments(chain.writable, 0, writeBytes - 1)
        : sliceSegments(chain.readable, HEADER_BYTES, readBytes - HEADER_BYTES);
    return { type, sector, chain, data, status };
  }

  /** Settles with the number of bytes of data that were written to the guest. */
  async #perform(request: BlockRequest): Promise<number> {
    const isToGuest = totalLength(request.chain.writable) > 1;
    switch (request.type) {
      case REQUEST.read:
        if (!isToGuest) throw new Ended(STATUS.failed);
        return this.#read(request);
      case REQUEST.write:
        if (isToGuest) throw new Ended(STATUS.failed);
        await this.#write(request);
        return 0;
      case REQUEST.flush:
        await this.#disk.sync();
        this.#host.counts.flushed();
        return 0;
      case REQUEST.identity:
        if (!isToGuest) throw new Ended(STATUS.failed);
        return this.#identify(request.data);
      case REQUEST.discard:
        await this.#discard(request);
        return 0;
      default:
        throw new Ended(STATUS.unsupported);
    }
  }

  async #read({ sector, data }: BlockRequest): Promise<number> {
    const { first, count } = this.#blocks(sector, totalLength(data));
    const generation = this.#generation;
    await this.#inPieces(count, (at, blocks) =>
      this.#disk.readWith(first + at, blocks, (payload) => {
        this.#checkGeneration(generation);
        scatter(this.#memory, this.#part(data, at, blocks), payload);
      }),
    );
    this.#host.counts.read(totalLength(data));
    return totalLength(data);
  }

  async #write({ sector, data }: BlockRequest): Promise<void> {
    if (!this.#disk.info.writeable) throw new Ended(STATUS.failed);
    const { first, count } = this.#blocks(sector, totalLength(data));
    const generation = this.#generation;
    const flushes = this.#flushes;
    await this.#inPieces(count, (at, blocks) =>
      this.#disk.writeWith(first + at, blocks, (payload) => {
        this.#checkGeneration(generation);
        gather(this.#memory, this.#part(data, at, blocks), payload);
      }),
    );
    if (!flushes) await this.#disk.sync();
    this.#host.counts.written(totalLength(data));
  }

  async #discard({ data }: BlockRequest): Promise<void> {
    const bytes = totalLength(data);
    const count = bytes / DISCARD_SEGMENT_BYTES;
    if (!Number.isInteger(count) || count < 1 || count > DISCARD_SEGMENTS_MAX) throw new Ended(STATUS.failed);
    const ranges = new Uint8Array(bytes);
    gather(this.#memory, data, ranges);
    const view = new DataView(ranges.buffer);
    const generation = this.#generation;
    for (let at = 0; at < bytes; at += DISCARD_SEGMENT_BYTES) {
      const sector = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      const { first, count: blocks } = this.#blocks(sector, view.getUint32(at + 8, true) * SECTOR_BYTES);
      // No flag is defined for a discard.
      if (view.getUint32(at + 12, true) !== 0) throw new Ended(STATUS.unsupported);
      this.#checkGeneration(generation);
      await this.#disk.trim(first, blocks);
    }
  }

  #identify(data: readonly GuestSegment[]): number {
    const bytes = Math.min(totalLength(data), IDENTITY_BYTES);
    const text = new Uint8Array(bytes);
    new TextEncoder().encodeInto(this.#identity, text);
    scatter(this.#memory, sliceSegments(data, 0, bytes), text);
    return bytes;
  }

  #checkGeneration(generation: number): void {
    if (generation !== this.#generation) throw new Ended(STATUS.failed);
  }

  #part(data: readonly GuestSegment[], at: number, blocks: number): GuestSegment[] {
    const { blockSize } = this.#disk.info;
    return sliceSegments(data, at * blockSize, blocks * blockSize);
  }

  async #inPieces(count: number, piece: (at: number, blocks: number) => Promise<void>): Promise<void> {
    const pieces = { total: count, pieceMax: this.#disk.requestBlocksMax, underWayMax: PIECES_UNDER_WAY };
    await inPieces(pieces, piece);
  }

  /** The blocks of the disk for sectors of the guest. */
  #blocks(sector: number, bytes: number): { first: number; count: number } {
    const { blockSize, blockCount } = this.#disk.info;
    const first = (sector * SECTOR_BYTES) / blockSize;
    const count = bytes / blockSize;
    const isSound = Number.isSafeInteger(first) && Number.isSafeInteger(count) && count > 0;
    if (!isSound || first > blockCount || count > blockCount - first) throw new Ended(STATUS.failed);
    return { first, count };
  }
}

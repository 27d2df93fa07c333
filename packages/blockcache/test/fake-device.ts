import { blockError, type BlockInfo } from '@ginit/core/block';
import type { BackendDevice } from '../src/backend-device.ts';

export const BLOCK_BYTES = 512;

/** The operations that change any number of blocks at once. */
const EXCLUSIVE: readonly string[] = ['trim', 'zeroes'];

interface Operation {
  readonly what: string;
  readonly first: number;
  readonly count: number;
  readonly begin: () => void;
  readonly end: () => void;
  readonly fail: () => void;
  begun: boolean;
}

/**
 * A device that keeps no order: the test chooses which request begins and which ends next. It is an
 * error of the caller if two requests write the same block at the same time, and this is checked
 * here; a read beside a write of the same block is one only if its result matters. Content becomes
 * durable by a sync, or by chance.
 */
export class FakeDevice implements BackendDevice {
  readonly info: BlockInfo;
  readonly requestBlocksMax: number;
  readonly waiting = 0;
  readonly content: Uint8Array;
  readonly durable: Uint8Array;
  /** Blocks that fail to be read or written. */
  readonly badReads = new Set<number>();
  readonly badWrites = new Set<number>();
  readonly log: string[] = [];
  syncFails = false;
  readonly #pending: Operation[] = [];

  constructor(blockCount: number, requestBlocksMax = 64, blockSize = BLOCK_BYTES) {
    this.info = { blockSize, blockCount, alignLog2: 12, writeable: true };
    this.requestBlocksMax = requestBlocksMax;
    this.content = new Uint8Array(blockCount * blockSize);
    this.durable = new Uint8Array(blockCount * blockSize);
  }

  get pending(): number {
    return this.#pending.length;
  }

  readWith<Result>(first: number, count: number, use: (payload: Uint8Array) => Result): Promise<Result> {
    let payload = new Uint8Array(0);
    return this.#add('read', first, count, {
      begin: () => (payload = this.#range(this.content, first, count).slice()),
      end: () => use(payload),
    });
  }

  writeWith(first: number, count: number, fill: (payload: Uint8Array) => void): Promise<void> {
    const payload = new Uint8Array(count * this.info.blockSize);
    return this.#add('write', first, count, {
      begin: () => fill(payload),
      end: () => void this.#range(this.content, first, count).set(payload),
    });
  }

  sync(): Promise<void> {
    let durable = new Uint8Array(0);
    return this.#add('sync', 0, 0, {
      begin: () => (durable = this.content.slice()),
      end: () => void this.durable.set(durable),
    });
  }

  trim(first: number, count: number): Promise<void> {
    return this.#add('trim', first, count, {
      begin: () => {},
      end: () => void this.#range(this.content, first, count).fill(0xee),
    });
  }

  writeZeroes(first: number, count: number): Promise<void> {
    return this.#add('zeroes', first, count, {
      begin: () => {},
      end: () => void this.#range(this.content, first, count).fill(0),
    });
  }

  /** Lets one request begin or end, as `choice` says. */
  step(choice: number): void {
    const operation = this.#pending[choice % Math.max(1, this.#pending.length)];
    if (operation === undefined || this.begin(choice % this.#pending.length)) return;
    this.#pending.splice(this.#pending.indexOf(operation), 1);
    const { what, first, count } = operation;
    const bad = what === 'read' ? this.badReads : what === 'sync' ? new Set<number>() : this.badWrites;
    const fails = Array.from({ length: count }, (_, at) => first + at).some((block) => bad.has(block));
    if (fails || (what === 'sync' && this.syncFails)) operation.fail();
    else operation.end();
  }

  /**
   * Lets a request begin, which fixes the content that it reads or writes. False if it has begun
   * already.
   */
  begin(index: number): boolean {
    const operation = this.#pending[index];
    if (operation === undefined || operation.begun) return false;
    operation.begun = true;
    operation.begin();
    return true;
  }

  /** Ends all requests, the oldest first, until there are none left. */
  async drain(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      if (this.#pending.length === 0) quiet++;
      else quiet = 0;
      this.step(0);
      await new Promise((done) => setImmediate(done));
    }
  }

  /** Writes some unsynced content to the medium by chance, as hosts do. */
  leak(block: number): void {
    this.#range(this.durable, block, 1).set(this.#range(this.content, block, 1));
  }

  #add<Result>(
    what: string,
    first: number,
    count: number,
    work: { begin: () => void; end: () => Result },
  ): Promise<Result> {
    if (first + count > this.info.blockCount) throw new Error(`${what} beyond the device`);
    if (!EXCLUSIVE.includes(what) && count > this.requestBlocksMax)
      throw new Error(`${what} of ${count} blocks`);
    if (what === 'write' || EXCLUSIVE.includes(what)) this.#checkAlone(what, first, count);
    this.log.push(`${what} ${first} ${count}`);
    return new Promise((resolve, reject) => {
      this.#pending.push({
        what,
        first,
        count,
        begin: () => void work.begin(),
        end: () => resolve(work.end()),
        fail: () => reject(blockError('InputOutput')),
        begun: false,
      });
    });
  }

  #checkAlone(what: string, first: number, count: number): void {
    for (const other of this.#pending) {
      if (other.what !== 'write' && !EXCLUSIVE.includes(other.what)) continue;
      if (other.first < first + count && first < other.first + other.count) {
        throw new Error(
          `${what} ${first} ${count} while ${other.what} ${other.first} ${other.count} is under way`,
        );
      }
    }
  }

  #range(bytes: Uint8Array, first: number, count: number): Uint8Array {
    return bytes.subarray(first * this.info.blockSize, (first + count) * this.info.blockSize);
  }
}

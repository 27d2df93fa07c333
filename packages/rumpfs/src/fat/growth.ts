import { settleAll } from '@ginit/core/async';
import { writeRange } from '../buffer/range-io.ts';
import type { FsError } from '../errors.ts';
import { ClusterRun } from './cluster-run.ts';
import type { ClusterVolume } from './cluster-volume.ts';
import type { FollowedChain } from './followed-chain.ts';
import { blockOfCluster } from './layout.ts';

const ZEROS = new Uint8Array(256 * 1024);
const ZERO_REQUESTS_MAX = 8;

/** A file that is written to. */
export interface GrowingFile {
  readonly volume: ClusterVolume;
  readonly chain: FollowedChain;
  /** The bytes from the start on that were ever written. */
  readonly validBytes: number;
  /** Lets the file lead to clusters that were taken; they are given up where that fails. */
  link(run: ClusterRun): Promise<void>;
  /** The error for a chain that ends before the file does. */
  tooShort(): FsError;
}

/** A write under way: gives the file clusters as it goes on. */
export class Growth {
  readonly #file: GrowingFile;
  readonly #requests: Promise<void>[] = [];
  readonly #run = new ClusterRun();
  /** Blocks behind this byte hold nothing of the file yet. */
  #validEnd: number;

  constructor(file: GrowingFile) {
    this.#file = file;
    this.#validEnd = file.validBytes;
  }

  settle(): Promise<void> {
    return settleAll(this.#requests);
  }

  /** Fills the file with zeros from what was written up to byte `end`. */
  async zero(end: number): Promise<void> {
    while (this.#validEnd < end) {
      await this.write(this.#validEnd, ZEROS.subarray(0, Math.min(ZEROS.length, end - this.#validEnd)));
      const held = this.#file.volume.cache.throttle();
      if (held !== undefined) await held;
      if (this.#requests.length >= ZERO_REQUESTS_MAX) await settleAll(this.#requests.splice(0));
    }
  }

  /** Writes the part of `from` that goes into clusters side by side; resolves to its length. */
  async write(position: number, from: Uint8Array): Promise<number> {
    const { volume } = this.#file;
    const { clusterBytes, layout } = volume;
    const skip = position % clusterBytes;
    const run = this.#run;
    const linked = await this.#provide(
      Math.floor(position / clusterBytes),
      Math.ceil((skip + from.length) / clusterBytes),
    );
    const length = Math.min(run.count * clusterBytes - skip, from.length);
    const block = blockOfCluster(layout, run.cluster) + Math.floor(skip / layout.blockBytes);
    try {
      await this.#fill(block, position, skip % layout.blockBytes, from.subarray(0, length));
    } catch (error) {
      await Promise.allSettled(this.#requests);
      if (!linked) volume.giveUp(run);
      throw error;
    }
    if (!linked) await this.#link();
    this.#validEnd = Math.max(this.#validEnd, position + length);
    return length;
  }

  /** Finds the clusters at `index`, or takes new ones: then the result is false. */
  async #provide(index: number, countMax: number): Promise<boolean> {
    const { chain, volume } = this.#file;
    if (!chain.tryMap(index, countMax, this.#run)) await chain.map(index, countMax, this.#run);
    if (this.#run.count > 0) return true;
    if (index > chain.known) throw this.#file.tooShort();
    await volume.allocate(chain.last === 0 ? 0 : chain.last + 1, countMax, this.#run);
    return false;
  }

  async #link(): Promise<void> {
    try {
      await this.#file.link(this.#run);
    } catch (error) {
      await Promise.allSettled(this.#requests);
      throw error;
    }
  }

  async #fill(first: number, position: number, skip: number, from: Uint8Array): Promise<void> {
    const { cache, layout } = this.#file.volume;
    const { blockBytes } = layout;
    let block = first;
    let done = 0;
    if (skip > 0 || from.length < blockBytes) {
      done = Math.min(from.length, blockBytes - skip);
      await this.#part(block, position - skip, skip, from.subarray(0, done));
      block += 1;
    }
    const whole = Math.floor((from.length - done) / blockBytes) * blockBytes;
    if (whole > 0) {
      const request = writeRange(cache, block, from.subarray(done, done + whole));
      // It is awaited later and may fail before that.
      request.catch(() => undefined);
      this.#requests.push(request);
      done += whole;
      block += whole / blockBytes;
    }
    if (done < from.length) await this.#part(block, position + done, 0, from.subarray(done));
  }

  /** Writes a part of the block that begins at byte `start` of the file. */
  async #part(block: number, start: number, skip: number, from: Uint8Array): Promise<void> {
    const { cache } = this.#file.volume;
    const fresh = start >= this.#validEnd;
    const buffer = fresh
      ? (cache.tryFresh(block) ?? (await cache.fresh(block)))
      : (cache.peek(block) ?? (await cache.read(block)));
    if (fresh) buffer.bytes.fill(0);
    buffer.bytes.set(from, skip);
    cache.markDirty(buffer, block, 'data');
  }
}

import { settleAll } from '@ginit/core/async';
import { readRange } from '../buffer/range-io.ts';
import { FsError } from '../errors.ts';
import { ClusterRun } from './cluster-run.ts';
import type { ClusterVolume } from './cluster-volume.ts';
import type { FollowedChain } from './followed-chain.ts';
import { type GrowingFile, Growth } from './growth.ts';
import { blockOfCluster } from './layout.ts';

/**
 * The contents of one file: its bytes, in the clusters of its chain. What a format says of sizes,
 * and how an entry leads to clusters, is its own.
 */
export abstract class FileData implements GrowingFile {
  readonly chain: FollowedChain;
  readonly volume: ClusterVolume;
  readonly #owner: string;

  /** @param owner the name of the file in messages */
  constructor(volume: ClusterVolume, chain: FollowedChain, owner: string) {
    this.volume = volume;
    this.chain = chain;
    this.#owner = owner;
  }

  /** The file's size. */
  abstract get sizeBytes(): number;
  /** Those behind these read as zeros. */
  abstract get validBytes(): number;
  /** Sets both. */
  protected abstract resize(sizeBytes: number, validBytes: number): void;
  /** Throws `FileTooLarge` for a size that the format cannot have. */
  protected abstract requireSize(sizeBytes: number): void;
  /** Makes the file larger, with zeros behind its end. */
  protected abstract extend(sizeBytes: number): Promise<void>;
  /** Whether an entry that says more than the chain has would be wrong. */
  protected abstract get leansOnChain(): boolean;
  /** Lets the file lead to clusters that were taken. */
  protected abstract append(run: ClusterRun): Promise<void>;
  /** Ends the chain behind its first `count` clusters, of which there are some. */
  protected abstract cut(count: number): Promise<void>;
  /** Says that the file has no clusters any more. */
  protected abstract clear(): void;
  /** Whether the clusters are in one piece, and no chain leads from one to the next. */
  protected abstract get inOnePiece(): boolean;

  /** Reads from `offset` on, up to the file's end; resolves to the number of bytes. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    const { volume, chain } = this;
    const { cache, clusterBytes, layout } = volume;
    const length = Math.max(0, Math.min(into.length, this.sizeBytes - offset));
    const written = Math.max(0, Math.min(length, this.validBytes - offset));
    if (written < length) into.fill(0, written, length);
    const { blockBytes } = layout;
    const run = new ClusterRun();
    const requests: Promise<void>[] = [];
    try {
      for (let done = 0; done < written; ) {
        const position = offset + done;
        const index = Math.floor(position / clusterBytes);
        const skip = position % clusterBytes;
        const clusters = Math.ceil((skip + written - done) / clusterBytes);
        if (!chain.tryMap(index, clusters, run)) await chain.map(index, clusters, run);
        if (run.count === 0) throw this.tooShort();
        const bytes = Math.min(run.count * clusterBytes - skip, written - done);
        const block = blockOfCluster(layout, run.cluster) + Math.floor(skip / blockBytes);
        const request = readRange(cache, block, skip % blockBytes, into.subarray(done, done + bytes));
        if (request !== undefined) requests.push(request);
        done += bytes;
      }
    } catch (error) {
      // The requests under way have borrowed the caller's memory, so they must end first.
      await Promise.allSettled(requests);
      throw error;
    }
    if (requests.length > 0) await settleAll(requests);
    return length;
  }

  /**
   * Writes at `offset`. What is between the bytes that were written before and `offset` is filled
   * with zeros. Resolves to the number of bytes written, which is less than given only where the
   * space ended. The caller stores the entry.
   */
  async write(offset: number, from: Uint8Array): Promise<number> {
    if (from.length === 0) return 0;
    this.requireSize(offset + from.length);
    if (offset > this.sizeBytes) await this.#requireRoom(offset);
    const growth = new Growth(this);
    let done = 0;
    let failure: unknown;
    try {
      if (offset > this.validBytes) await growth.zero(offset);
      while (done < from.length) done += await growth.write(offset + done, from.subarray(done));
    } catch (error) {
      failure = error;
    }
    try {
      await growth.settle();
    } catch (error) {
      failure = error;
      done = 0;
    }
    if (done > 0)
      this.resize(Math.max(this.sizeBytes, offset + done), Math.max(this.validBytes, offset + done));
    if (failure !== undefined) {
      await this.giveBack();
      const shortened = failure instanceof FsError && failure.code === 'NoSpace' && done > 0;
      if (!shortened) throw failure;
    }
    return done;
  }

  /** Sets the size. The caller stores the entry; `store` does so as well. */
  async truncate(sizeBytes: number, store: () => Promise<void>): Promise<void> {
    this.requireSize(sizeBytes);
    if (sizeBytes > this.sizeBytes) {
      await this.#requireRoom(sizeBytes);
      await this.extend(sizeBytes);
      return;
    }
    if (sizeBytes === 0) {
      this.departAll();
      this.resize(0, 0);
      return;
    }
    this.resize(sizeBytes, Math.min(this.validBytes, sizeBytes));
    if (this.leansOnChain && this.volume.clustersFor(sizeBytes) < (await this.chain.follow())) {
      // The entry must not say more, on the device, than the chain has.
      await store();
      await this.volume.flush();
    }
    await this.giveBack();
  }

  /** Gives up all clusters. */
  departAll(): void {
    const { first, known } = this.chain;
    const contiguous = this.inOnePiece;
    const clusters = contiguous ? known : Math.max(1, known, this.volume.clustersFor(this.sizeBytes));
    this.volume.depart({ first, clusters, contiguous });
    this.clear();
  }

  async link(run: ClusterRun): Promise<void> {
    try {
      await this.append(run);
    } catch (error) {
      this.volume.giveUp(run);
      throw error;
    }
  }

  tooShort(): FsError {
    return this.volume.corrupt(
      `${this.#owner}: ${this.sizeBytes} bytes, but only ${this.chain.known} clusters`,
    );
  }

  /** Cuts off the clusters behind the end of the file. */
  protected async giveBack(): Promise<void> {
    const { chain } = this;
    const keep = this.volume.clustersFor(this.sizeBytes);
    const have = await chain.follow();
    if (have <= keep) return;
    if (keep === 0) {
      this.departAll();
      return;
    }
    const run = new ClusterRun();
    await chain.map(keep, 1, run);
    const contiguous = this.inOnePiece;
    await this.cut(keep);
    this.volume.depart({ first: run.cluster, clusters: have - keep, contiguous });
  }

  /** Refuses a size for which there is no space, before anything is written for it. */
  async #requireRoom(sizeBytes: number): Promise<void> {
    const { volume } = this;
    const wanted = volume.clustersFor(sizeBytes) - (await this.chain.follow());
    if (wanted <= volume.freeClusters + volume.departures.clusters) return;
    throw new FsError('NoSpace', `${wanted} clusters are needed, and ${volume.freeClusters} are free`);
  }
}

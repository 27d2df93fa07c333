import { settleAll } from '@ginit/core/async';
import { readRange, writeRange } from '../buffer/range-io.ts';
import { FsError } from '../errors.ts';
import { allocateClusters } from './allocate.ts';
import { ClusterRun } from './chain.ts';
import { FAT_END } from './fat-table.ts';
import { blockOfCluster } from '../fat/layout.ts';
import { ownerName } from '../fat/placed-nodes.ts';
import type { NodeState } from './node-state.ts';
import type { Volume } from './volume.ts';

/** The largest file: its size has 32 bits. */
export const FILE_BYTES_MAX = 0xffff_ffff;
const ZEROS = new Uint8Array(256 * 1024);

/** Reads from `offset` on, up to the file's end; resolves to the number of bytes. */
export async function readFile(
  volume: Volume,
  node: NodeState,
  offset: number,
  into: Uint8Array,
): Promise<number> {
  const length = Math.max(0, Math.min(into.length, node.fields.sizeBytes - offset));
  const { clusterBytes } = volume.geometry;
  const { blockBytes } = volume.layout;
  const run = new ClusterRun();
  const requests: Promise<void>[] = [];
  try {
    for (let done = 0; done < length; ) {
      const position = offset + done;
      const index = Math.floor(position / clusterBytes);
      const skip = position % clusterBytes;
      const clusters = Math.ceil((skip + length - done) / clusterBytes);
      if (!node.chain.tryMap(index, clusters, run)) await node.chain.map(index, clusters, run);
      if (run.count === 0) throw tooShort(volume, node);
      const bytes = Math.min(run.count * clusterBytes - skip, length - done);
      const block = blockOfCluster(volume.layout, run.cluster) + Math.floor(skip / blockBytes);
      const request = readRange(volume.cache, block, skip % blockBytes, into.subarray(done, done + bytes));
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

function tooShort(volume: Volume, node: NodeState): FsError {
  const { known } = node.chain;
  return volume.corrupt(`${ownerName(node.id)}: ${node.fields.sizeBytes} bytes, but only ${known} clusters`);
}

/**
 * Writes at `offset`. A FAT has no holes: what is between the file's end and `offset` is filled
 * with zeros. Resolves to the number of bytes written, which is less than given only where the
 * space ended. The caller stores the entry.
 */
export async function writeFile(
  volume: Volume,
  node: NodeState,
  offset: number,
  from: Uint8Array,
): Promise<number> {
  if (from.length === 0) return 0;
  requireSize(offset + from.length);
  const before = node.fields.sizeBytes;
  if (offset > before) await requireRoom(volume, node, offset);
  const growth = new Growth(volume, node);
  let done = 0;
  let failure: unknown;
  try {
    if (offset > before) await growth.zero(offset);
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
  node.fields.sizeBytes = Math.max(before, done > 0 ? offset + done : 0);
  if (failure !== undefined) {
    await giveBack(volume, node);
    const shortened = failure instanceof FsError && failure.code === 'NoSpace' && done > 0;
    if (!shortened) throw failure;
  }
  return done;
}

/** Sets the size. The caller stores the entry; `store` does so as well. */
export async function truncateFile(
  volume: Volume,
  node: NodeState,
  sizeBytes: number,
  store: () => Promise<void>,
): Promise<void> {
  requireSize(sizeBytes);
  const { fields, chain } = node;
  const before = fields.sizeBytes;
  if (sizeBytes > before) {
    await requireRoom(volume, node, sizeBytes);
    const growth = new Growth(volume, node);
    try {
      await growth.zero(sizeBytes);
      await growth.settle();
      fields.sizeBytes = sizeBytes;
    } catch (error) {
      await growth.settle().catch(() => undefined);
      await giveBack(volume, node);
      throw error;
    }
    return;
  }
  fields.sizeBytes = sizeBytes;
  if (sizeBytes === 0) {
    const { first } = chain;
    setFirst(node, 0);
    volume.depart(first, Math.ceil(before / volume.geometry.clusterBytes));
    return;
  }
  if (Math.ceil(sizeBytes / volume.geometry.clusterBytes) >= (await chain.follow())) return;
  // The entry must not say more, on the device, than the chain has.
  await store();
  await volume.fat.mirror();
  await volume.cache.flushDurably();
  await giveBack(volume, node);
}

/** Sets the first cluster of a file; what is known of its chain is forgotten. */
export function setFirst(node: NodeState, first: number): void {
  node.fields.firstCluster = first;
  node.chain.first = first;
  node.chain.forget();
}

function requireSize(sizeBytes: number): void {
  if (sizeBytes > FILE_BYTES_MAX)
    throw new FsError('FileTooLarge', `a file on a FAT has at most ${FILE_BYTES_MAX} bytes`);
}

/** Refuses a size for which there is no space, before anything is written for it. */
async function requireRoom(volume: Volume, node: NodeState, sizeBytes: number): Promise<void> {
  const wanted = Math.ceil(sizeBytes / volume.geometry.clusterBytes) - (await node.chain.follow());
  if (wanted <= volume.freeClusters + volume.departures.clusters) return;
  throw new FsError('NoSpace', `${wanted} clusters are needed, and ${volume.freeClusters} are free`);
}

/** Cuts off the clusters behind the end of the file. */
async function giveBack(volume: Volume, node: NodeState): Promise<void> {
  const { chain } = node;
  const keep = Math.ceil(node.fields.sizeBytes / volume.geometry.clusterBytes);
  const have = await chain.follow();
  if (have <= keep) return;
  if (keep === 0) {
    const { first } = chain;
    setFirst(node, 0);
    volume.depart(first, have);
    return;
  }
  const run = new ClusterRun();
  await chain.map(keep - 1, 1, run);
  const last = run.cluster;
  await chain.map(keep, 1, run);
  await volume.fat.set(last, FAT_END);
  chain.cut(keep);
  volume.depart(run.cluster, have - keep);
}

/** A write under way: gives the file clusters as it goes on. */
class Growth {
  readonly #volume: Volume;
  readonly #node: NodeState;
  readonly #requests: Promise<void>[] = [];
  readonly #run = new ClusterRun();
  /** Blocks behind this byte hold nothing of the file yet. */
  #validEnd: number;

  constructor(volume: Volume, node: NodeState) {
    this.#volume = volume;
    this.#node = node;
    this.#validEnd = node.fields.sizeBytes;
  }

  settle(): Promise<void> {
    return settleAll(this.#requests);
  }

  /** Fills the file with zeros from its end up to byte `end`. */
  async zero(end: number): Promise<void> {
    while (this.#validEnd < end) {
      await this.write(this.#validEnd, ZEROS.subarray(0, Math.min(ZEROS.length, end - this.#validEnd)));
      const held = this.#volume.cache.throttle();
      if (held !== undefined) await held;
      if (this.#requests.length >= 8) await settleAll(this.#requests.splice(0));
    }
  }

  /** Writes the part of `from` that goes into clusters side by side; resolves to its length. */
  async write(position: number, from: Uint8Array): Promise<number> {
    const volume = this.#volume;
    const { clusterBytes } = volume.geometry;
    const { blockBytes } = volume.layout;
    const skip = position % clusterBytes;
    const run = this.#run;
    const linked = await this.#provide(
      Math.floor(position / clusterBytes),
      Math.ceil((skip + from.length) / clusterBytes),
    );
    const length = Math.min(run.count * clusterBytes - skip, from.length);
    const block = blockOfCluster(volume.layout, run.cluster) + Math.floor(skip / blockBytes);
    try {
      await this.#fill(block, position, skip % blockBytes, from.subarray(0, length));
    } catch (error) {
      await Promise.allSettled(this.#requests);
      if (!linked) volume.depart(run.cluster, run.count);
      throw error;
    }
    if (!linked) await this.#link();
    this.#validEnd = Math.max(this.#validEnd, position + length);
    return length;
  }

  /** Finds the clusters at `index`, or takes new ones: then the result is false. */
  async #provide(index: number, countMax: number): Promise<boolean> {
    const { chain } = this.#node;
    if (!chain.tryMap(index, countMax, this.#run)) await chain.map(index, countMax, this.#run);
    if (this.#run.count > 0) return true;
    if (index > chain.known) throw tooShort(this.#volume, this.#node);
    await allocateClusters(this.#volume, chain.last === 0 ? 0 : chain.last + 1, countMax, this.#run);
    return false;
  }

  /** Lets the file lead to the clusters that were taken. */
  async #link(): Promise<void> {
    const { cluster, count } = this.#run;
    const { chain } = this.#node;
    try {
      if (chain.last === 0) this.#node.fields.firstCluster = cluster;
      else await this.#volume.fat.set(chain.last, cluster);
    } catch (error) {
      await Promise.allSettled(this.#requests);
      this.#volume.depart(cluster, count);
      throw error;
    }
    chain.append(cluster, count);
  }

  async #fill(first: number, position: number, skip: number, from: Uint8Array): Promise<void> {
    const { blockBytes } = this.#volume.layout;
    let block = first;
    let done = 0;
    if (skip > 0 || from.length < blockBytes) {
      done = Math.min(from.length, blockBytes - skip);
      await this.#part(block, position - skip, skip, from.subarray(0, done));
      block += 1;
    }
    const whole = Math.floor((from.length - done) / blockBytes) * blockBytes;
    if (whole > 0) {
      const request = writeRange(this.#volume.cache, block, from.subarray(done, done + whole));
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
    const { cache } = this.#volume;
    const fresh = start >= this.#validEnd;
    const buffer = fresh
      ? (cache.tryFresh(block) ?? (await cache.fresh(block)))
      : (cache.peek(block) ?? (await cache.read(block)));
    if (fresh) buffer.bytes.fill(0);
    buffer.bytes.set(from, skip);
    cache.markDirty(buffer, block, 'data');
  }
}

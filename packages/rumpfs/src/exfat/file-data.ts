import { settleAll } from '@ginit/core/async';
import { readRange, writeRange } from '../buffer/range-io.ts';
import { FsError } from '../errors.ts';
import { blockOfCluster } from '../fat/layout.ts';
import { ownerName } from '../fat/placed-nodes.ts';
import { allocateClusters } from './allocate.ts';
import { ClusterRun } from './cluster-run.ts';
import { noteChain, type NodeState } from './node-state.ts';
import type { Volume } from './volume.ts';

const ZEROS = new Uint8Array(256 * 1024);
const ZERO_REQUESTS_MAX = 8;

/**
 * Reads from `offset` on, up to the file's end; resolves to the number of bytes. What was never
 * written reads as zeros.
 */
export async function readFile(
  volume: Volume,
  node: NodeState,
  offset: number,
  into: Uint8Array,
): Promise<number> {
  const { sizeBytes, validBytes } = node.set;
  const length = Math.max(0, Math.min(into.length, sizeBytes - offset));
  const written = Math.max(0, Math.min(length, validBytes - offset));
  into.fill(0, written, length);
  const { clusterBytes } = volume.geometry;
  const { blockBytes } = volume.layout;
  const run = new ClusterRun();
  const requests: Promise<void>[] = [];
  try {
    for (let done = 0; done < written; ) {
      const position = offset + done;
      const index = Math.floor(position / clusterBytes);
      const skip = position % clusterBytes;
      const clusters = Math.ceil((skip + written - done) / clusterBytes);
      if (!node.chain.tryMap(index, clusters, run)) await node.chain.map(index, clusters, run);
      if (run.count === 0) throw tooShort(volume, node);
      const bytes = Math.min(run.count * clusterBytes - skip, written - done);
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
  return volume.corrupt(`${ownerName(node.id)}: ${node.set.sizeBytes} bytes, but only ${known} clusters`);
}

/**
 * Writes at `offset`. What is between the bytes that were written before and `offset` is filled
 * with zeros. Resolves to the number of bytes written, which is less than given only where the
 * space ended. The caller stores the entries.
 */
export async function writeFile(
  volume: Volume,
  node: NodeState,
  offset: number,
  from: Uint8Array,
): Promise<number> {
  if (from.length === 0) return 0;
  const { set } = node;
  requireSize(offset + from.length);
  if (offset > set.sizeBytes) await requireRoom(volume, node, offset);
  const growth = new Growth(volume, node);
  let done = 0;
  let failure: unknown;
  try {
    if (offset > set.validBytes) await growth.zero(offset);
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
  if (done > 0) {
    set.validBytes = Math.max(set.validBytes, offset + done);
    set.sizeBytes = Math.max(set.sizeBytes, offset + done);
  }
  if (failure !== undefined) {
    await giveBack(volume, node);
    const shortened = failure instanceof FsError && failure.code === 'NoSpace' && done > 0;
    if (!shortened) throw failure;
  }
  return done;
}

/** Sets the size. The caller stores the entries; `store` does so as well. */
export async function truncateFile(
  volume: Volume,
  node: NodeState,
  sizeBytes: number,
  store: () => Promise<void>,
): Promise<void> {
  const { set, chain } = node;
  if (sizeBytes > set.sizeBytes) {
    requireSize(sizeBytes);
    await requireRoom(volume, node, sizeBytes);
    await extend(volume, node, sizeBytes);
    return;
  }
  set.sizeBytes = sizeBytes;
  set.validBytes = Math.min(set.validBytes, sizeBytes);
  if (sizeBytes === 0) {
    departAll(volume, node);
    return;
  }
  if (!chain.contiguous && volume.clustersFor(sizeBytes) < (await chain.follow())) {
    // The entries must not say more, on the device, than the chain has.
    await store();
    await volume.flush();
  }
  await giveBack(volume, node);
}

/** Gives up all clusters of a file. */
export function departAll(volume: Volume, node: NodeState): void {
  const { chain } = node;
  const { first, contiguous, known } = chain;
  volume.depart({ first, clusters: Math.max(1, known), contiguous });
  chain.clear();
  noteChain(node);
}

/** Gives a file clusters for a size, and writes nothing into them. */
async function extend(volume: Volume, node: NodeState, sizeBytes: number): Promise<void> {
  const { chain, set } = node;
  const wanted = volume.clustersFor(sizeBytes);
  const run = new ClusterRun();
  try {
    for (let have = await chain.follow(); have < wanted; have = chain.known) {
      const goal = chain.last === 0 ? 0 : chain.last + 1;
      await allocateClusters(volume, goal, wanted - have, run);
      await link(volume, node, run);
      const held = volume.cache.throttle();
      if (held !== undefined) await held;
    }
    set.sizeBytes = sizeBytes;
  } catch (error) {
    await giveBack(volume, node);
    throw error;
  }
}

/** Lets a file lead to clusters that were taken. */
async function link(volume: Volume, node: NodeState, { cluster, count }: ClusterRun): Promise<void> {
  try {
    await node.chain.append(cluster, count);
  } catch (error) {
    volume.depart({ first: cluster, clusters: count, contiguous: true });
    throw error;
  }
  noteChain(node);
}

function requireSize(sizeBytes: number): void {
  if (!Number.isSafeInteger(sizeBytes))
    throw new FsError('FileTooLarge', `a file has at most ${Number.MAX_SAFE_INTEGER} bytes here`);
}

/** Refuses a size for which there is no space, before anything is written for it. */
async function requireRoom(volume: Volume, node: NodeState, sizeBytes: number): Promise<void> {
  const wanted = volume.clustersFor(sizeBytes) - (await node.chain.follow());
  if (wanted <= volume.freeClusters + volume.departures.clusters) return;
  throw new FsError('NoSpace', `${wanted} clusters are needed, and ${volume.freeClusters} are free`);
}

/** Cuts off the clusters behind the end of the file. */
async function giveBack(volume: Volume, node: NodeState): Promise<void> {
  const { chain } = node;
  const keep = volume.clustersFor(node.set.sizeBytes);
  const have = await chain.follow();
  if (have <= keep) return;
  if (keep === 0) {
    departAll(volume, node);
    return;
  }
  const run = new ClusterRun();
  await chain.map(keep, 1, run);
  const { contiguous } = chain;
  await chain.cut(keep);
  volume.depart({ first: run.cluster, clusters: have - keep, contiguous });
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
    this.#validEnd = node.set.validBytes;
  }

  settle(): Promise<void> {
    return settleAll(this.#requests);
  }

  /** Fills the file with zeros from what was written up to byte `end`. */
  async zero(end: number): Promise<void> {
    while (this.#validEnd < end) {
      await this.write(this.#validEnd, ZEROS.subarray(0, Math.min(ZEROS.length, end - this.#validEnd)));
      const held = this.#volume.cache.throttle();
      if (held !== undefined) await held;
      if (this.#requests.length >= ZERO_REQUESTS_MAX) await settleAll(this.#requests.splice(0));
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
      if (!linked) volume.depart({ first: run.cluster, clusters: run.count, contiguous: true });
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

  async #link(): Promise<void> {
    try {
      await link(this.#volume, this.#node, this.#run);
    } catch (error) {
      await Promise.allSettled(this.#requests);
      throw error;
    }
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

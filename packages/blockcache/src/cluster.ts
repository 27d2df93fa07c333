/** A piece of write-back: neighbouring chunks on their way to the device together. */
import { type RpcError } from '@ginit/core';
import { copyApart } from '@ginit/core/packet-stream';
import type { ChunkStore } from './chunk-store.ts';
import { CHUNK_BYTES, highest, lowest, mask } from './geometry.ts';

/** The blocks of one chunk that go in one request. */
export interface ClusterPart {
  readonly slot: number;
  readonly first: number;
  readonly count: number;
}

/** A cluster under way. */
export interface Cluster {
  /** The time when it was put together: every earlier write is in it, and later ones perhaps. */
  readonly formedAt: number;
  /**
   * Settles when it has ended, with the reason if it failed. In that case its chunks are dirty
   * again.
   */
  readonly done: Promise<RpcError | undefined>;
}

/**
 * The span from the first to the last dirty block of a chunk, if all of it may be written; else
 * undefined.
 */
export function dirtySpan(store: ChunkStore, slot: number): ClusterPart | undefined {
  const dirty = store.dirty(slot);
  const first = lowest(dirty);
  const count = highest(dirty) - first + 1;
  return store.holds(slot, mask(first, count)) ? { slot, first, count } : undefined;
}

/**
 * The chunks around `middle` that can go in one request with it: dirty, without gaps, none of them
 * under way. At most `chunksMax`, in the order of the device.
 */
export function neighbours(store: ChunkStore, middle: ClusterPart, chunksMax: number): ClusterPart[] {
  const { blocksPerChunk } = store.geometry;
  const parts = [middle];
  const chunk = store.chunkIn(middle.slot);
  const join = (other: number): ClusterPart | undefined => {
    const slot = store.find(other);
    if (slot < 0 || store.dirty(slot) === 0 || store.pinned(slot, 'write')) return undefined;
    return dirtySpan(store, slot);
  };
  for (let last = middle; endsChunk(last, blocksPerChunk) && parts.length < chunksMax; ) {
    const next = join(chunk + parts.length);
    if (next === undefined || next.first !== 0) break;
    parts.push(next);
    last = next;
  }
  const before: ClusterPart[] = [];
  for (let first = middle; first.first === 0 && parts.length + before.length < chunksMax; ) {
    const previous = join(chunk - before.length - 1);
    if (previous === undefined || !endsChunk(previous, blocksPerChunk)) break;
    before.push(previous);
    first = previous;
  }
  return [...before.toReversed(), ...parts];
}

function endsChunk({ first, count }: ClusterPart, blocksPerChunk: number): boolean {
  return first + count === blocksPerChunk;
}

/**
 * Copies the parts of a request into its payload. From now on they do not count as dirty.
 */
export function fillRequest(store: ChunkStore, parts: readonly ClusterPart[], payload: Uint8Array): void {
  let at = 0;
  for (const { slot, first, count } of parts) {
    const bytes = store.blocks(slot, first, count);
    copyApart(payload, bytes, at);
    at += bytes.byteLength;
    store.setDirty(slot, store.dirty(slot) & ~mask(first, count));
  }
}

/** The number of chunks that fit in a request of this many bytes. */
export function chunksPerRequest(bytes: number): number {
  return Math.floor(bytes / CHUNK_BYTES);
}

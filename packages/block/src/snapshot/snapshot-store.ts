/**
 * A snapshot store in use: its superblock, and where the chunks of each snapshot are. Changes of
 * entries that are asked for at the same time become durable together: the chunks, then the maps.
 */
import { assert, type RpcError } from '@ginit/core';
import { Rounds } from '@ginit/core/async';
import { blockError } from '@ginit/core/block';
import { copyInto } from '@ginit/core/packet-stream';
import type { DeviceBelow } from '../lib/device-below.ts';
import { isZero } from '../lib/is-zero.ts';
import {
  GROUP_CHUNKS,
  isChunkSize,
  MAP_BYTES,
  type MapEntry,
  readEntry,
  readSuperblock,
  type SnapshotRecord,
  type Superblock,
  SUPERBLOCK_BYTES,
  SUPERBLOCKS_AT,
  writeEntry,
  writeSuperblock,
} from './store-format.ts';
import { checkStoreDevice, chunkAt, chunkCount, mapAt, readBytes, writeBytes } from './store-layout.ts';

/** The store has no free chunk. */
export class StoreFull extends Error {
  constructor() {
    super('the snapshot store is full');
    this.name = 'StoreFull';
  }
}

/** A change of an entry that has to become durable. */
interface Change {
  readonly slot: number;
  readonly entry: MapEntry;
}

/** A store. */
export class SnapshotStore {
  readonly #device: DeviceBelow;
  readonly #commits = new Rounds(() => this.#commit());
  /** The maps as they are on the device. */
  readonly #maps: Uint8Array[] = [];
  /** The chunks of each snapshot: by the chunk of the origin, the one of the store. */
  readonly #index = new Map<number, Map<number, number>>();
  readonly #free: number[] = [];
  #pending: Change[] = [];
  #superblock: Superblock;
  #doubtful = false;
  /** Chunks of the store whose entries are known, and those that hold something. */
  #slots = 0;
  #used = 0;

  /** Makes a store of a device, whatever was there. */
  static async format(device: DeviceBelow, chunkBytes: number, originBlockSize: number): Promise<void> {
    checkStoreDevice(device);
    assert(isChunkSize(chunkBytes) && chunkBytes >= originBlockSize, 'a chunk is blocks of the origin');
    // An old superblock must not come back to the new maps.
    for (const at of SUPERBLOCKS_AT) await writeBytes(device, at, new Uint8Array(SUPERBLOCK_BYTES));
    await device.sync();
    const superblock: Superblock = {
      generation: 1,
      chunkBytes,
      originBlockSize,
      lastId: 0,
      rollbackTo: 0,
      rollbackToken: 0,
      groups: 0,
      snapshots: [],
    };
    await writeBytes(device, SUPERBLOCKS_AT[0], writeSuperblock(superblock));
    await device.sync();
  }

  /** Whether the beginning of a device holds nothing but zeros. */
  static async isBlank(device: DeviceBelow): Promise<boolean> {
    checkStoreDevice(device);
    const bytes = new Uint8Array(SUPERBLOCKS_AT[1] + SUPERBLOCK_BYTES);
    await readBytes(device, 0, bytes);
    return isZero(bytes);
  }

  /** Opens a store. Rejects with a `blockError` if the device holds none, or a damaged one. */
  static async open(device: DeviceBelow): Promise<SnapshotStore> {
    checkStoreDevice(device);
    let newest: Superblock | undefined;
    for (const at of SUPERBLOCKS_AT) {
      const bytes = new Uint8Array(SUPERBLOCK_BYTES);
      await readBytes(device, at, bytes);
      const found = readSuperblock(bytes);
      if (found && (newest === undefined || found.generation > newest.generation)) newest = found;
    }
    if (newest === undefined) throw blockError('Invalid', 'the device holds no snapshot store');
    const store = new SnapshotStore(device, newest);
    await store.grow();
    return store;
  }

  private constructor(device: DeviceBelow, superblock: Superblock) {
    this.#device = device;
    this.#superblock = superblock;
    for (const { id } of superblock.snapshots) this.#index.set(id, new Map());
  }

  get superblock(): Superblock {
    return this.#superblock;
  }

  /**
   * Whether a change of the superblock has failed, so that the device may have the one or the
   * other. Nothing must be written that the new one forbids until a later change has succeeded.
   */
  get doubtful(): boolean {
    return this.#doubtful;
  }

  get chunkBytes(): number {
    return this.#superblock.chunkBytes;
  }

  /** Chunks of the store that can be used, and those that hold something. */
  get chunks(): { readonly total: number; readonly used: number } {
    return { total: chunkCount(this.#device, this.chunkBytes), used: this.#used };
  }

  get freeChunks(): number {
    return this.#free.length;
  }

  /** The chunks that a snapshot has: by the chunk of the origin, the one of the store. */
  chunksOf(id: number): ReadonlyMap<number, number> {
    return this.#index.get(id) ?? new Map();
  }

  /**
   * Where the store has the content that a chunk of the origin had when a snapshot was made;
   * `undefined`: it is still what the origin has.
   */
  find(id: number, chunk: number): number | undefined {
    for (const snapshot of this.#superblock.snapshots) {
      if (snapshot.id < id) continue;
      const slot = this.#index.get(snapshot.id)?.get(chunk);
      if (slot !== undefined) return slot;
    }
    return undefined;
  }

  /**
   * Takes up the chunks that are not known yet: all at the start, later those of a device that has
   * grown. Nothing else may change the store meanwhile.
   */
  async grow(): Promise<void> {
    const { total } = this.chunks;
    const { groups: written } = this.#superblock;
    const groups = Math.ceil(total / GROUP_CHUNKS);
    if (written > groups || total < this.#slots) throw shorter();
    for (let group = this.#maps.length; group < groups; group++) {
      const map = new Uint8Array(MAP_BYTES);
      const at = mapAt(group, this.chunkBytes);
      // Behind the old end there may be anything.
      if (group < written) await readBytes(this.#device, at, map);
      else await writeBytes(this.#device, at, map);
      this.#maps.push(map);
    }
    this.#requireFree(total, groups * GROUP_CHUNKS);
    if (groups > written) await this.update({ groups });
    await this.#takeEntries(total);
  }

  /** Reads a part of a chunk. */
  async read(slot: number, offset: number, into: Uint8Array): Promise<void> {
    const { blockSize } = this.#device.info;
    const begin = offset - (offset % blockSize);
    const end = Math.ceil((offset + into.byteLength) / blockSize) * blockSize;
    const at = chunkAt(slot, this.chunkBytes) + begin;
    if (end - begin === into.byteLength) return readBytes(this.#device, at, into);
    const whole = new Uint8Array(end - begin);
    await readBytes(this.#device, at, whole);
    copyInto(into, whole.subarray(offset - begin, offset - begin + into.byteLength));
  }

  /**
   * Keeps the content of a chunk for a snapshot; it is durable when this settles. Throws
   * `StoreFull`.
   */
  async put(id: number, chunk: number, content: Uint8Array): Promise<void> {
    const slot = this.#free.pop();
    if (slot === undefined) throw new StoreFull();
    // After a failure nobody knows what the device has: the chunk stays unused until the next
    // start.
    this.#used++;
    await writeBytes(this.#device, chunkAt(slot, this.chunkBytes), content);
    await this.#change([{ slot, entry: { snapshot: id, chunk } }]);
    this.#index.get(id)?.set(chunk, slot);
  }

  /** Gives chunks of the store to a snapshot, or back if that is 0. Durable when this settles. */
  async give(from: number, chunks: readonly number[], to: number): Promise<void> {
    const known = this.#index.get(from);
    if (!known) return;
    const moved = chunks.flatMap((chunk) => {
      const slot = known.get(chunk);
      return slot === undefined ? [] : [{ slot, entry: { snapshot: to, chunk: to === 0 ? 0 : chunk } }];
    });
    await this.#change(moved);
    for (const chunk of chunks) {
      const slot = known.get(chunk);
      if (slot === undefined) continue;
      known.delete(chunk);
      if (to === 0) this.#release(slot);
      else this.#index.get(to)?.set(chunk, slot);
    }
  }

  /** Makes a changed superblock durable. One change at a time. */
  async update(change: Partial<Omit<Superblock, 'generation' | 'chunkBytes'>>): Promise<void> {
    const next = { ...this.#superblock, ...change, generation: this.#superblock.generation + 1 };
    await this.#device.sync();
    this.#doubtful = true;
    await writeBytes(this.#device, SUPERBLOCKS_AT[next.generation % 2 === 1 ? 0 : 1], writeSuperblock(next));
    await this.#device.sync();
    this.#doubtful = false;
    this.#superblock = next;
    const listed = new Set(next.snapshots.map(({ id }) => id));
    for (const { id } of next.snapshots) if (!this.#index.has(id)) this.#index.set(id, new Map());
    for (const id of this.#index.keys()) if (!listed.has(id)) this.#index.delete(id);
  }

  /** The record of a snapshot by its name. */
  snapshot(name: string): SnapshotRecord | undefined {
    return this.#superblock.snapshots.find((snapshot) => snapshot.name === name);
  }

  async #change(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    this.#pending.push(...changes);
    await this.#commits.request();
  }

  /** Makes all changes durable that are pending: first the chunks, then the maps. */
  async #commit(): Promise<void> {
    const changes = this.#pending;
    this.#pending = [];
    await this.#device.sync();
    const maps = new Map<number, Uint8Array>();
    for (const { slot, entry } of changes) {
      const group = Math.floor(slot / GROUP_CHUNKS);
      const map = maps.get(group) ?? this.#map(group).slice();
      maps.set(group, map);
      writeEntry(map, slot % GROUP_CHUNKS, entry);
    }
    for (const [group, map] of maps) {
      // From here on the device may have either; the next write of this map has both.
      this.#maps[group] = map;
      await writeBytes(this.#device, mapAt(group, this.chunkBytes), map);
    }
    await this.#device.sync();
  }

  #map(group: number): Uint8Array {
    const map = this.#maps[group];
    if (!map) throw blockError('Invalid', `the snapshot store has no group ${group}`);
    return map;
  }

  /** Throws unless these entries are free: the last group may have more of them than chunks. */
  #requireFree(first: number, end: number): void {
    for (let slot = first; slot < end; slot++) {
      const entry = readEntry(this.#map(Math.floor(slot / GROUP_CHUNKS)), slot % GROUP_CHUNKS);
      if (entry?.snapshot !== 0) throw shorter();
    }
  }

  /** Takes up the entries of further chunks. */
  async #takeEntries(total: number): Promise<void> {
    const stale: Change[] = [];
    for (let slot = this.#slots; slot < total; slot++) {
      const map = this.#map(Math.floor(slot / GROUP_CHUNKS));
      this.#takeEntry(slot, readEntry(map, slot % GROUP_CHUNKS), stale);
    }
    this.#slots = total;
    // The lowest are taken first.
    this.#free.sort((left, right) => right - left);
    await this.#change(stale);
    for (const { slot } of stale) this.#release(slot);
  }

  #takeEntry(slot: number, entry: MapEntry | undefined, stale: Change[]): void {
    if (entry === undefined) throw blockError('Invalid', `the snapshot store is damaged: entry ${slot}`);
    const { snapshot, chunk } = entry;
    if (snapshot === 0) {
      this.#free.push(slot);
      return;
    }
    const chunks = this.#index.get(snapshot);
    if (!chunks && snapshot > this.#superblock.lastId) {
      throw blockError('Invalid', `the snapshot store is damaged: entry ${slot} is of no snapshot`);
    }
    this.#used++;
    // A put that failed may have left its entry. Then another chunk has the same content, or the
    // snapshot has been deleted, which passes on only those entries that are known to be durable.
    if (!chunks || chunks.has(chunk)) stale.push({ slot, entry: { snapshot: 0, chunk: 0 } });
    else chunks.set(chunk, slot);
  }

  #release(slot: number): void {
    this.#used--;
    this.#free.push(slot);
  }
}

function shorter(): RpcError {
  return blockError('Invalid', 'the snapshot store is shorter than it was');
}

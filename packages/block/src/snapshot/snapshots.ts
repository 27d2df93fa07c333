/**
 * Snapshots of a device that goes on being written: before a chunk of it is written for the first
 * time since the newest snapshot was made, its content goes to the store.
 */
import { inLanes, ReaderWriterLock, Semaphore } from '@ginit/core/async';
import { type BlockBackend, blockError, type BlockInfo } from '@ginit/core/block';
import type { DeviceBelow } from '../lib/device-below.ts';
import { SnapshotView } from './snapshot-view.ts';
import { type SnapshotStore, StoreFull } from './snapshot-store.ts';
import { NAME_BYTES_MAX, type SnapshotRecord, SNAPSHOTS_MAX } from './store-format.ts';

/** Chunks of one request that are worked on at a time. */
const CHUNKS_UNDER_WAY = 8;
/** Bytes of chunks that are on their way to the store for all requests together, at most. */
const COPY_BYTES_MAX = 16 * 1024 * 1024;

/** What is done when the store is full. */
export type WhenFull = 'fail' | 'drop-oldest';

/** What a device with snapshots tells. */
export interface SnapshotEvents {
  /** A write has failed because the store is full. */
  full(): void;
  /** A snapshot was deleted because the store was full. */
  dropped(name: string): void;
  /** Chunks were taken or given back. */
  usage(): void;
}

/** The device, as its clients see it. */
export class Snapshots implements BlockBackend {
  readonly #origin: DeviceBelow;
  readonly #store: SnapshotStore;
  readonly #whenFull: () => WhenFull;
  readonly #events: SnapshotEvents;
  /** Shared by requests, exclusive for changes of the list of snapshots. */
  readonly #lock = new ReaderWriterLock();
  /** Chunks on their way to the store. */
  readonly #copies = new Map<number, Promise<void>>();
  readonly #copiers: Semaphore;
  /** Sessions of each snapshot. */
  readonly #views = new Map<number, number>();
  /** A rollback is under way or has failed: the device is neither the one nor the other. */
  #broken = false;

  /**
   * Opens a device with its store, and ends what a crash has interrupted. Rejects if the two do not
   * belong together.
   */
  static async open(
    origin: DeviceBelow,
    store: SnapshotStore,
    whenFull: () => WhenFull,
    events: SnapshotEvents,
  ): Promise<Snapshots> {
    const { originBlockSize, snapshots, rollbackTo } = store.superblock;
    if (originBlockSize !== origin.info.blockSize) {
      throw blockError(
        'Invalid',
        `the snapshot store is for blocks of ${originBlockSize} bytes, and the device has ${origin.info.blockSize}`,
      );
    }
    const opened = new Snapshots(origin, store, whenFull, events);
    for (const { id, state } of snapshots) if (state === 'deleting') await opened.#delete(id);
    const target = snapshots.find(({ id }) => id === rollbackTo);
    if (target) await opened.#rollBack(target, store.superblock.rollbackToken);
    return opened;
  }

  private constructor(
    origin: DeviceBelow,
    store: SnapshotStore,
    whenFull: () => WhenFull,
    events: SnapshotEvents,
  ) {
    this.#origin = origin;
    this.#store = store;
    this.#whenFull = whenFull;
    this.#events = events;
    this.#copiers = new Semaphore(COPY_BYTES_MAX / store.chunkBytes);
  }

  get info(): BlockInfo {
    return this.#origin.info;
  }

  get store(): SnapshotStore {
    return this.#store;
  }

  /** The snapshots, the oldest first. */
  get list(): readonly SnapshotRecord[] {
    return this.#store.superblock.snapshots;
  }

  onInfoChanged(handler: () => void): () => void {
    return this.#origin.onInfoChanged?.(handler) ?? (() => {});
  }

  read(block: number, count: number, into: Uint8Array): void | Promise<void> {
    // A rollback that is under way ends before that.
    if (this.#broken) return this.#shared(async () => this.#origin.read(block, count, into));
    return this.#origin.read(block, count, into);
  }

  write(block: number, count: number, from: Uint8Array): Promise<void> {
    return this.#change(block, count, () => this.#origin.write(block, count, from));
  }

  writeZeroes(block: number, count: number): Promise<void> {
    return this.#change(block, count, () => this.#origin.writeZeroes(block, count));
  }

  /** What a SYNC covers of the store is durable already. */
  sync(): void | Promise<void> {
    if (this.#broken) return this.#shared(async () => this.#origin.sync());
    return this.#origin.sync();
  }

  /**
   * A hint is no reason to fill the store: only what no snapshot needs any more is passed on.
   */
  async trim(block: number, count: number): Promise<void> {
    await this.#shared(async () => {
      if (this.#store.doubtful) return;
      let first = block;
      const end = block + count;
      for (let at = block; at < end; ) {
        const next = Math.min(end, this.#chunkEnd(at));
        if (this.#isNeeded(this.#chunkOf(at))) {
          if (at > first) await this.#origin.trim(first, at - first);
          first = next;
        }
        at = next;
      }
      if (end > first) await this.#origin.trim(first, end - first);
    });
  }

  /** A snapshot as a device that cannot be written. Its sessions call `opened` and `closed`. */
  view(name: string): SnapshotView | undefined {
    const record = this.#store.snapshot(name);
    return record?.state === 'sound' ? new SnapshotView(this, record) : undefined;
  }

  /** Makes a snapshot of what the device holds once all writes under way have ended. */
  async create(name: string, createdMs: number): Promise<void> {
    const bytes = new TextEncoder().encode(name).byteLength;
    if (bytes === 0 || bytes > NAME_BYTES_MAX) {
      throw blockError('Invalid', `a name of a snapshot has 1 to ${NAME_BYTES_MAX} bytes, not ${bytes}`);
    }
    await this.#exclusive(async () => {
      const { snapshots, lastId } = this.#store.superblock;
      if (this.#store.snapshot(name)) throw blockError('Invalid', `there is a snapshot "${name}" already`);
      if (snapshots.length >= SNAPSHOTS_MAX) {
        throw blockError('NoSpace', `there are ${SNAPSHOTS_MAX} snapshots already`);
      }
      // What the snapshot has of the origin must not change by a crash any more.
      await this.#origin.sync();
      const id = lastId + 1;
      const { blockCount } = this.#origin.info;
      const record: SnapshotRecord = { id, state: 'sound', blockCount, createdMs, name };
      await this.#store.update({ lastId: id, snapshots: [...snapshots, record] });
    });
  }

  /** Deletes a snapshot. `Invalid` if there is none, or if a session shows it. */
  async delete(name: string): Promise<void> {
    await this.#exclusive(async () => {
      const { id } = this.#required(name);
      if ((this.#views.get(id) ?? 0) > 0) throw blockError('Invalid', `snapshot "${name}" is in use`);
      await this.#delete(id);
    });
  }

  /**
   * Gives the device the content that it had when the snapshot was made; all snapshots stay. It is
   * continued at the next start if it is interrupted. The token is kept: it tells which rollback
   * was the last one.
   */
  async rollBack(name: string, token: number): Promise<void> {
    await this.#exclusive(async () => {
      const record = this.#required(name);
      const { blockCount } = this.#origin.info;
      if (record.blockCount > blockCount) {
        throw blockError(
          'Invalid',
          `snapshot "${name}" has ${record.blockCount} blocks, the device ${blockCount}`,
        );
      }
      const needed = this.#chunksSince(record.id).filter((chunk) => this.#isNeeded(chunk)).length;
      if (needed > this.#store.freeChunks) {
        throw blockError(
          'NoSpace',
          `a rollback needs ${needed} chunks, and ${this.#store.freeChunks} are free`,
        );
      }
      await this.#rollBack(record, token);
    });
  }

  /** Takes up what the store has grown by. */
  async growStore(): Promise<void> {
    await this.#exclusive(() => this.#store.grow());
    this.#events.usage();
  }

  /** Reads what a snapshot holds, on behalf of its view. */
  async readSnapshot(record: SnapshotRecord, block: number, count: number, into: Uint8Array): Promise<void> {
    await this.#shared(async () => {
      if (!this.list.some(({ id, state }) => id === record.id && state === 'sound')) throw blockError('Gone');
      const end = block + count;
      const firsts: number[] = [];
      for (let at = block; at < end; at = this.#chunkEnd(at)) firsts.push(at);
      const { blockSize } = this.info;
      await this.#inLanes(firsts, (first) => {
        const next = Math.min(end, this.#chunkEnd(first));
        const part = into.subarray((first - block) * blockSize, (next - block) * blockSize);
        return this.#readPart(record.id, first, next - first, part);
      });
    });
  }

  viewOpened({ id }: SnapshotRecord): void {
    this.#views.set(id, (this.#views.get(id) ?? 0) + 1);
  }

  viewClosed({ id }: SnapshotRecord): void {
    this.#views.set(id, (this.#views.get(id) ?? 0) - 1);
  }

  /** Blocks of one chunk, as a snapshot has them. */
  async #readPart(id: number, block: number, count: number, into: Uint8Array): Promise<void> {
    const chunk = this.#chunkOf(block);
    const fromStore = async (): Promise<boolean> => {
      const slot = this.#store.find(id, chunk);
      if (slot === undefined) return false;
      const { blockSize } = this.info;
      await this.#store.read(slot, block * blockSize - chunk * this.#store.chunkBytes, into);
      return true;
    };
    if (await fromStore()) return;
    await this.#origin.read(block, count, into);
    // The origin may have been written while it was read; then the content is in the store by now.
    await fromStore();
  }

  async #change(block: number, count: number, perform: () => void | Promise<void>): Promise<void> {
    for (;;) {
      if (this.#store.doubtful) await this.#settleStore();
      try {
        await this.#shared(async () => {
          if (this.#store.doubtful) throw blockError('InputOutput', 'the snapshot store has failed');
          await this.#preserve(block, count);
          await perform();
        });
        return;
      } catch (error) {
        if (!(error instanceof StoreFull)) throw error;
      }
      if (this.#whenFull() === 'fail') {
        this.#events.full();
        throw blockError('NoSpace', 'the snapshot store is full');
      }
      await this.#dropOldest();
    }
  }

  /** Makes sure that the store lists the snapshots that we know, and no other. */
  async #settleStore(): Promise<void> {
    await this.#exclusive(async () => {
      if (this.#store.doubtful) await this.#store.update({});
    });
  }

  /** Settles when the store has what a write to these blocks would destroy. */
  async #preserve(block: number, count: number): Promise<void> {
    const needed: number[] = [];
    for (let at = block; at < block + count; at = this.#chunkEnd(at)) {
      const chunk = this.#chunkOf(at);
      if (this.#isNeeded(chunk)) needed.push(chunk);
    }
    if (needed.length === 0) return;
    await this.#inLanes(needed, async (chunk) => {
      // Another request may have copied it meanwhile, and then written to the origin.
      if (this.#isNeeded(chunk)) await this.#copy(chunk);
    });
  }

  /** Does something with each of these, some at a time. None outlives the lock. */
  #inLanes<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
    const rest = items.values();
    return inLanes(Math.min(CHUNKS_UNDER_WAY, items.length), async () => {
      for (const item of rest) await work(item);
    });
  }

  /** Whether the newest snapshot still has this chunk in common with the origin. */
  #isNeeded(chunk: number): boolean {
    const newest = this.list.at(-1);
    if (!newest || chunk * this.#chunkBlocks >= newest.blockCount) return false;
    return !this.#store.chunksOf(newest.id).has(chunk);
  }

  #copy(chunk: number): Promise<void> {
    const running = this.#copies.get(chunk);
    if (running) return running;
    const copy = this.#copiers.run(() => this.#copyNow(chunk)).finally(() => this.#copies.delete(chunk));
    this.#copies.set(chunk, copy);
    return copy;
  }

  async #copyNow(chunk: number): Promise<void> {
    const newest = this.list.at(-1);
    if (!newest) return;
    await this.#store.put(newest.id, chunk, await this.#readOrigin(chunk));
    this.#events.usage();
  }

  /** A chunk of the origin; behind its end are zeros. */
  async #readOrigin(chunk: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.#store.chunkBytes);
    const first = chunk * this.#chunkBlocks;
    const count = Math.min(this.#chunkBlocks, this.info.blockCount - first);
    if (count > 0) await this.#origin.read(first, count, bytes.subarray(0, count * this.info.blockSize));
    return bytes;
  }

  async #dropOldest(): Promise<void> {
    await this.#exclusive(async () => {
      const [oldest] = this.list;
      // Somebody else may have made room.
      if (!oldest || this.#store.freeChunks > 0) return;
      await this.#delete(oldest.id);
      this.#events.dropped(oldest.name);
    });
  }

  /** Deletes a snapshot: the next older one takes the chunks that it does not have itself. */
  async #delete(id: number): Promise<void> {
    const { snapshots } = this.#store.superblock;
    const index = snapshots.findIndex((snapshot) => snapshot.id === id);
    const older = snapshots[index - 1];
    const deleting = snapshots.slice();
    const [record] = deleting.splice(index, 1);
    if (!record) return;
    deleting.splice(index, 0, { ...record, state: 'deleting' });
    await this.#store.update({ snapshots: deleting });
    const chunks = [...this.#store.chunksOf(id).keys()];
    const inherits = (chunk: number): boolean =>
      older !== undefined &&
      !this.#store.chunksOf(older.id).has(chunk) &&
      chunk * this.#chunkBlocks < older.blockCount;
    const inherited = chunks.filter(inherits);
    const freed = chunks.filter((chunk) => !inherits(chunk));
    if (older) await this.#store.give(id, inherited, older.id);
    await this.#store.give(id, freed, 0);
    await this.#store.update({ snapshots: this.list.filter((snapshot) => snapshot.id !== id) });
    this.#events.usage();
  }

  async #rollBack(record: SnapshotRecord, token: number): Promise<void> {
    this.#broken = true;
    await this.#store.update({ rollbackTo: record.id, rollbackToken: token });
    await this.#inLanes(this.#chunksSince(record.id), (chunk) => this.#restore(record, chunk));
    await this.#origin.sync();
    await this.#store.update({ rollbackTo: 0 });
    this.#broken = false;
  }

  async #restore(record: SnapshotRecord, chunk: number): Promise<void> {
    const slot = this.#store.find(record.id, chunk);
    if (slot === undefined) return;
    const bytes = new Uint8Array(this.#store.chunkBytes);
    await this.#store.read(slot, 0, bytes);
    if (this.#isNeeded(chunk)) await this.#copy(chunk);
    const first = chunk * this.#chunkBlocks;
    const count = Math.min(this.#chunkBlocks, record.blockCount - first);
    if (count > 0) await this.#origin.write(first, count, bytes.subarray(0, count * this.info.blockSize));
  }

  /** The chunks of the origin that were written since a snapshot was made. */
  #chunksSince(id: number): number[] {
    const chunks = new Set<number>();
    for (const snapshot of this.list) {
      if (snapshot.id < id) continue;
      for (const chunk of this.#store.chunksOf(snapshot.id).keys()) chunks.add(chunk);
    }
    return [...chunks];
  }

  #required(name: string): SnapshotRecord {
    const record = this.#store.snapshot(name);
    if (record) return record;
    throw blockError('Invalid', `there is no snapshot "${name}"`);
  }

  #requireWhole(): void {
    if (this.#broken) throw blockError('InputOutput', 'a rollback has not come to its end');
  }

  get #chunkBlocks(): number {
    return this.#store.chunkBytes / this.info.blockSize;
  }

  #chunkOf(block: number): number {
    return Math.floor(block / this.#chunkBlocks);
  }

  #chunkEnd(block: number): number {
    return (this.#chunkOf(block) + 1) * this.#chunkBlocks;
  }

  async #shared(work: () => Promise<void>): Promise<void> {
    await this.#lock.shared();
    try {
      this.#requireWhole();
      await work();
    } finally {
      this.#lock.releaseShared();
    }
  }

  async #exclusive(work: () => Promise<void>): Promise<void> {
    await this.#lock.exclusive();
    try {
      this.#requireWhole();
      await work();
    } finally {
      this.#lock.releaseExclusive();
    }
  }
}

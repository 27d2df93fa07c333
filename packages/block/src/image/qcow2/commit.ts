/**
 * A commit takes all changes of the tables to stable storage in one step: changed tables are
 * written to free clusters, and then one sector, the header, is written that names the new ones.
 * Whenever the power goes, the file is as one commit left it: no cluster is used that has no
 * refcount, and none has a refcount without being used. What the last commit uses is not written to
 * in between, except data that is rewritten in place.
 */
import { inLanes } from '@ginit/core/async';
import { ImageError } from '../image-error.ts';
import type { Qcow2Header } from './header.ts';
import { writeL1Entry } from './l2-entry.ts';
import type { Qcow2File } from './qcow2-file.ts';
import type { Run } from './refcounts.ts';
import type { CachedTable } from '../table-cache.ts';

/** Writes of tables that are under way at a time. */
const WRITES_UNDER_WAY = 4;

/** A commit that is ready to be written. */
interface Plan {
  readonly writes: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly header: Qcow2Header;
  readonly l2: readonly CachedTable[];
  readonly blocks: readonly CachedTable[];
  readonly freed: readonly number[];
}

/** Writes commits of a file. One at a time. */
export class Commits {
  readonly #file: Qcow2File;
  readonly #committed: (freed: readonly number[]) => Promise<void>;
  #failure: { readonly error: unknown } | undefined;

  /** `committed` is called with the clusters that a commit has freed. */
  constructor(file: Qcow2File, committed: (freed: readonly number[]) => Promise<void>) {
    this.#file = file;
    this.#committed = committed;
  }

  /**
   * Takes everything that was written before to stable storage. If that fails for another reason
   * than a lack of space, it always fails from then on: nobody knows what the host has kept.
   */
  async commit(change: Partial<Qcow2Header> = {}): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    const { device } = this.#file;
    const plan = await this.#file.changingTables(() => this.#plan(change));
    if (!plan) {
      await this.#lasting(() => device.sync());
      // Requests may have ended that kept earlier clusters from being free.
      await this.#committed([]);
      return;
    }
    try {
      await this.#write(plan);
    } catch (error) {
      this.#takeBack(plan);
      if (!(error instanceof ImageError && error.code === 'NoSpace')) this.#fail(error);
      throw error;
    }
    for (const table of [...plan.l2, ...plan.blocks]) table.pins--;
    await this.#committed(plan.freed);
  }

  async #write({ writes, header }: Plan): Promise<void> {
    const { device } = this.#file;
    const left = writes.values();
    await inLanes(WRITES_UNDER_WAY, async () => {
      for (const { at, bytes } of left) await device.write(bytes, at);
    });
    await device.sync();
    await device.write(this.#file.sectorOf(header), 0);
    await device.sync();
  }

  async #lasting(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    this.#failure = { error };
  }

  /** The tables of a commit that could not be written have to go with the next one. */
  #takeBack({ l2, blocks, freed }: Plan): void {
    this.#file.refcounts.putBackFreed(freed);
    for (const table of l2) this.#file.l2.touch(table);
    for (const table of blocks) this.#file.refcounts.cache.touch(table);
    for (const table of [...l2, ...blocks]) table.pins--;
    this.#file.l1Changed = true;
    this.#file.refcounts.tableChanged = true;
  }

  /** Finds new places for all that has changed. The result is `undefined` if nothing has. */
  async #plan(change: Partial<Qcow2Header>): Promise<Plan | undefined> {
    const file = this.#file;
    const { form, refcounts } = file;
    const l2 = file.l2.dirtyOnes();
    const unchanged =
      l2.length === 0 && !file.l1Changed && !refcounts.tableChanged && refcounts.cache.dirtyTables === 0;
    if (unchanged && Object.keys(change).length === 0) return undefined;
    for (const { key } of l2) {
      file.l1[key] = (await this.#move(file.l1[key] ?? 0, 1)).first * form.clusterBytes;
      file.sharedTables.delete(key);
      file.l1Changed = true;
    }
    const l1Moves = file.l1Changed;
    if (l1Moves) await this.#moveL1();
    await this.#moveRefcounts();
    const blocks = refcounts.cache.dirtyOnes();
    const header = { ...file.header, ...change };
    file.header = header;
    const writes = [
      ...l2.map(({ key, view }) => ({ at: file.l1[key] ?? 0, bytes: bytesOf(view) })),
      ...(l1Moves ? [{ at: header.l1Offset, bytes: this.#l1Bytes() }] : []),
      ...blocks.map(({ key, view }) => ({ at: refcounts.blocks[key] ?? 0, bytes: bytesOf(view) })),
      { at: header.refcountTableOffset, bytes: tableBytes(refcounts.blocks) },
    ];
    for (const table of l2) file.l2.clean(table);
    for (const table of blocks) refcounts.cache.clean(table);
    for (const table of [...l2, ...blocks]) table.pins++;
    file.l1Changed = false;
    refcounts.tableChanged = false;
    return { writes, header, l2, blocks, freed: refcounts.takeFreed() };
  }

  /** Takes clusters for a table in the place of those that it had. */
  async #move(oldOffset: number, count: number, oldCount = count): Promise<Run> {
    const { form, refcounts } = this.#file;
    const run = await refcounts.reserve(count, true);
    refcounts.wear(run);
    const taken = Array.from({ length: count }, (_, index) => run.first + index);
    const old = oldOffset === 0 ? [] : this.#file.clustersOf(oldOffset, oldCount * form.clusterBytes);
    const pins = await refcounts.pin(taken, old).catch((error: unknown) => {
      refcounts.giveBack(run);
      throw error;
    });
    try {
      for (const cluster of taken) refcounts.use(cluster);
      for (const cluster of old) refcounts.release(cluster);
    } finally {
      refcounts.unpin(pins);
    }
    this.#file.removeTable(oldOffset, old.length * form.clusterBytes);
    this.#file.addTable(run.first * form.clusterBytes, count * form.clusterBytes);
    return run;
  }

  async #moveL1(): Promise<void> {
    const { form, header, l1 } = this.#file;
    const clusters = (entries: number): number => Math.ceil((entries * 8) / form.clusterBytes);
    const run = await this.#move(header.l1Offset, clusters(l1.length), clusters(header.l1Entries));
    this.#file.header = {
      ...this.#file.header,
      l1Offset: run.first * form.clusterBytes,
      l1Entries: l1.length,
    };
  }

  /** Moving a block changes counts, perhaps those in other blocks, until all of them have moved. */
  async #moveRefcounts(): Promise<void> {
    const { form, refcounts } = this.#file;
    const moved = new Set<number>();
    let tableMoved = false;
    for (;;) {
      // All that have changed go in one round: there may be as many as the file has.
      const next = refcounts.cache.dirtyOnes().filter(({ key }) => !moved.has(key));
      for (const { key } of next) {
        const run = await this.#move(refcounts.blocks[key] ?? 0, 1);
        refcounts.place(key, run.first * form.clusterBytes);
        moved.add(key);
      }
      if (next.length > 0) continue;
      const { refcountTableOffset, refcountTableClusters } = this.#file.header;
      const tableClusters = (refcounts.blocks.length * 8) / form.clusterBytes;
      if (tableMoved && tableClusters === refcountTableClusters) return;
      const run = await this.#move(refcountTableOffset, tableClusters, refcountTableClusters);
      this.#file.header = {
        ...this.#file.header,
        refcountTableOffset: run.first * form.clusterBytes,
        refcountTableClusters: tableClusters,
      };
      tableMoved = true;
    }
  }

  #l1Bytes(): Uint8Array {
    const { l1, form } = this.#file;
    const bytes = new Uint8Array(Math.ceil((l1.length * 8) / form.clusterBytes) * form.clusterBytes);
    const view = new DataView(bytes.buffer);
    for (const [index, offset] of l1.entries()) {
      writeL1Entry(view, index, offset, !this.#file.sharedTables.has(index));
    }
    return bytes;
  }
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer).slice();
}

function tableBytes(blocks: Float64Array): Uint8Array {
  const bytes = new Uint8Array(blocks.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, offset] of blocks.entries()) view.setBigUint64(index * 8, BigInt(offset));
  return bytes;
}

/** A disk in a qcow2 file. */
import { inLanes, Rounds } from '@ginit/core/async';
import { type ByteDevice, readPadded } from '../byte-device.ts';
import { checkRange, checkWriteable, type DiskExtent, type DiskImage } from '../disk-image.ts';
import { RangeOrder } from '../../lib/range-order.ts';
import { ImageError, malformed, unsupported } from '../image-error.ts';
import { Allocation } from './allocation.ts';
import { Commits } from './commit.ts';
import { decompressCluster } from './compressed.ts';
import { QCOW2_INCOMPATIBLE } from './header.ts';
import { type Extent, findExtent } from './lookup.ts';
import { Qcow2File } from './qcow2-file.ts';
import { rebuiltRefcounts } from './rebuild.ts';
import { l1EntriesFor, resizeFile } from './resize.ts';
import type { TableCache } from '../table-cache.ts';
import { UnpackedClusters } from '../unpacked-clusters.ts';

/** Pieces of one request that are under way at a time. */
const PIECES_UNDER_WAY = 8;
/** Clusters that one step takes, or frees: so many locks and tables it holds at a time. */
const CLUSTERS_PER_STEP = 256;
/** Freed clusters that wait for a commit; more make one. */
const FREED_CLUSTERS_MAX = 65_536;

/** How an image is opened. */
export interface OpenQcow2Options {
  readonly writeable: boolean;
  /** The image behind this one; needed if this one names one. */
  readonly backing?: DiskImage | undefined;
}

/** How a range is cleared, of a disk that has `diskBytes`, or will have. */
interface ClearOptions {
  readonly edges: boolean;
  readonly diskBytes: number;
}

/** An open image. */
export class Qcow2Image implements DiskImage {
  readonly format = 'qcow2';
  readonly writeable: boolean;
  readonly file: Qcow2File;
  readonly #backing: DiskImage | undefined;
  /** The clusters of the file. */
  readonly allocation: Allocation;
  readonly #commits: Commits;
  readonly #syncs: Rounds;
  readonly #clusters = new RangeOrder();
  readonly #unpacked = new UnpackedClusters();

  /** Opens an image. Rejects with `ImageError` if that cannot be read, or written. */
  static async open(device: ByteDevice, options: OpenQcow2Options): Promise<Qcow2Image> {
    const file = await Qcow2File.open(device);
    const { header } = file;
    const writeable = options.writeable && device.writeable;
    if (header.backing !== undefined && !options.backing) {
      throw new ImageError('Invalid', `the image needs its backing image "${header.backing}"`);
    }
    if (!writeable) return new Qcow2Image(file, false, options.backing);
    checkMayWrite(file);
    const isDirty = (header.incompatible & QCOW2_INCOMPATIBLE.dirty) !== 0;
    if (!isDirty) {
      await file.openRefcounts();
      checkRefcountBlocks(file);
    }
    const image = new Qcow2Image(file, true, options.backing);
    if (isDirty) await image.repair();
    return image;
  }

  private constructor(file: Qcow2File, writeable: boolean, backing: DiskImage | undefined) {
    this.file = file;
    this.writeable = writeable;
    this.#backing = backing;
    this.allocation = new Allocation(file, () => this.#unpacked.clear());
    this.#commits = new Commits(file, (freed) => this.allocation.committed(freed));
    this.#syncs = new Rounds(() => this.#commits.commit());
  }

  get sizeBytes(): number {
    return this.file.header.sizeBytes;
  }

  /** Counts anew how often each cluster is used, and takes that to stable storage. */
  async repair(): Promise<void> {
    await rebuiltRefcounts(this.file);
    const incompatible = this.file.header.incompatible & ~QCOW2_INCOMPATIBLE.dirty;
    await this.#commits.commit({ incompatible });
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    checkRange(this, position, into.byteLength);
    await this.allocation.requests.run(() => this.#read(into, position));
  }

  async #read(into: Uint8Array, position: number): Promise<void> {
    if (into.byteLength === 0) return;
    const first = await findExtent(this.file, position, into.byteLength);
    if (first.length === into.byteLength) return this.#readExtent(first, into, position);
    let done = 0;
    // One lane at a time finds the next extent, while the others transfer theirs.
    let finding: Promise<Extent | undefined> = Promise.resolve(undefined);
    const find = async (): Promise<Extent | undefined> => {
      if (done >= into.byteLength) return undefined;
      const extent = await findExtent(this.file, position + done, into.byteLength - done);
      done += extent.length;
      return extent;
    };
    await inLanes(PIECES_UNDER_WAY, async () => {
      for (;;) {
        finding = finding.then(find);
        const extent = await finding;
        if (!extent) return;
        const end = done;
        await this.#readExtent(
          extent,
          into.subarray(end - extent.length, end),
          position + end - extent.length,
        );
      }
    });
  }

  async #readExtent(extent: Extent, into: Uint8Array, position: number): Promise<void> {
    switch (extent.kind) {
      case 'none':
        return this.#readBacking(into, position);
      case 'zero':
        into.fill(0);
        return;
      case 'data':
        return readPadded(this.file.device, into, extent.at);
      case 'compressed': {
        const cluster = await this.#readCompressed(extent);
        into.set(cluster.subarray(extent.within, extent.within + into.byteLength));
      }
    }
  }

  async #readBacking(into: Uint8Array, position: number): Promise<void> {
    const backing = this.#backing;
    const inside = Math.max(0, Math.min(into.byteLength, (backing?.sizeBytes ?? 0) - position));
    if (inside < into.byteLength) into.fill(0, inside);
    if (!backing || inside === 0) return;
    try {
      await backing.read(into.subarray(0, inside), position);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      // Places in that file must not be taken for places in this one.
      const name = this.file.header.backing ?? '';
      throw new ImageError(error.code, `the image "${name}" behind it: ${error.message}`);
    }
  }

  #readCompressed({ at, bytes }: Extract<Extent, { kind: 'compressed' }>): Promise<Uint8Array> {
    return this.#unpacked.get(at, async () => {
      const packed = new Uint8Array(bytes);
      if (at >= this.file.device.sizeBytes)
        throw malformed(`a compressed cluster at ${at} lies behind the end`);
      await readPadded(this.file.device, packed, at);
      const { clusterBytes } = this.file.form;
      return decompressCluster(this.file.header.compression, packed, clusterBytes, at);
    });
  }

  async write(from: Uint8Array, position: number): Promise<void> {
    checkWriteable(this);
    checkRange(this, position, from.byteLength);
    await this.allocation.requests.run(() => this.#write(from, position));
    await this.commitIfCrowded();
  }

  async #write(from: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < from.byteLength; ) {
      const rest = from.subarray(done);
      const extent = await findExtent(this.file, position + done, rest.byteLength);
      if (extent.kind === 'data' && extent.sole) {
        await this.#writeInPlace(rest.subarray(0, extent.length), extent.at);
        done += extent.length;
      } else done += await this.#writeElsewhere(rest, position + done);
    }
  }

  async #writeInPlace(from: Uint8Array, at: number): Promise<void> {
    const table = this.file.tableWithin(at, from.byteLength);
    if (table !== undefined) throw malformed(`an L2 entry leads to cluster ${table}, which holds a table`);
    if (at - (at % this.file.form.clusterBytes) >= this.file.device.sizeBytes) {
      throw malformed(`an L2 entry leads to byte ${at}, behind the end of the file`);
    }
    await this.file.device.write(from, at);
  }

  /** Writes into new clusters. The result is how many bytes that took. */
  #writeElsewhere(from: Uint8Array, position: number): Promise<number> {
    const { clusterBytes, l2Entries } = this.file.form;
    const first = Math.floor(position / clusterBytes);
    const wanted = Math.ceil((position + from.byteLength) / clusterBytes) - first;
    const ofTable = l2Entries - (first % l2Entries);
    const count = Math.min(wanted, ofTable, CLUSTERS_PER_STEP);
    return this.#clusters.run(first, first + count, true, async () => {
      const length = Math.min(from.byteLength, (first + count) * clusterBytes - position);
      // Somebody may have written there meanwhile.
      const elsewhere = await this.#lengthElsewhere(position, length);
      if (elsewhere === 0) return 0;
      return this.#writeNew(from.subarray(0, elsewhere), position);
    });
  }

  /** How much from a position on must go to new clusters. */
  async #lengthElsewhere(position: number, lengthMax: number): Promise<number> {
    let length = 0;
    while (length < lengthMax) {
      const extent = await findExtent(this.file, position + length, lengthMax - length);
      if (extent.kind === 'data' && extent.sole) break;
      length += extent.length;
    }
    return length;
  }

  async #writeNew(from: Uint8Array, position: number): Promise<number> {
    const { clusterBytes } = this.file.form;
    const first = Math.floor(position / clusterBytes);
    const wanted = Math.ceil((position + from.byteLength) / clusterBytes) - first;
    const run = await this.allocation.take(wanted);
    const length = Math.min(from.byteLength, (first + run.count) * clusterBytes - position);
    try {
      await this.#fillClusters(run, from.subarray(0, length), position);
      const mappings = Array.from({ length: run.count }, (_, index) => ({
        kind: 'data' as const,
        cluster: run.first + index,
      }));
      await this.allocation.map(first, mappings);
    } catch (error) {
      this.file.refcounts.giveBack(run);
      throw error;
    }
    return length;
  }

  /** Writes new clusters whole: the bytes, and around them what the disk has there. */
  async #fillClusters(
    run: { readonly first: number; readonly count: number; readonly isFresh: boolean },
    from: Uint8Array,
    position: number,
  ): Promise<void> {
    const { clusterBytes } = this.file.form;
    const at = run.first * clusterBytes;
    const before = position % clusterBytes;
    const after = run.count * clusterBytes - before - from.byteLength;
    // One after the other, so that a file that grows by them has no holes in between.
    await this.#copyOld(position - before, before, at, run.isFresh);
    await this.file.device.write(from, at + before);
    await this.#copyOld(position + from.byteLength, after, at + before + from.byteLength, run.isFresh);
  }

  async #copyOld(position: number, length: number, at: number, isFresh: boolean): Promise<void> {
    if (length === 0) return;
    const old = new Uint8Array(length);
    const inside = Math.max(0, Math.min(length, this.sizeBytes - position));
    const extent = inside === 0 ? undefined : await this.extent(position, inside);
    const isZero = extent === undefined || (extent.kind === 'zero' && extent.length === inside);
    // Clusters that the file never had read as zeros already.
    if (isZero && isFresh) return;
    if (!isZero) await this.#read(old.subarray(0, inside), position);
    await this.file.device.write(old, at);
  }

  async writeZeroes(position: number, length: number): Promise<void> {
    checkWriteable(this);
    checkRange(this, position, length);
    await this.#clear(position, length, { edges: true, diskBytes: this.sizeBytes });
  }

  async discard(position: number, length: number): Promise<void> {
    checkWriteable(this);
    checkRange(this, position, length);
    await this.#clear(position, length, { edges: false, diskBytes: this.sizeBytes });
  }

  /** Frees whole clusters. With `edges`, what is no whole cluster is made zero, too. */
  async #clear(position: number, length: number, { edges, diskBytes }: ClearOptions): Promise<void> {
    const { clusterBytes, l2Entries, version } = this.file.form;
    const end = position + length;
    const firstWhole = Math.ceil(position / clusterBytes);
    // The last cluster of the disk is whole, however little of it belongs to the disk.
    const endWhole = end === diskBytes ? Math.ceil(end / clusterBytes) : Math.floor(end / clusterBytes);
    // Version 2 has no entry that hides what a backing image has.
    const hides = this.#backing !== undefined;
    const whole = !hides || version === 3 ? Math.max(0, endWhole - firstWhole) : 0;
    const wholeFrom = whole === 0 ? end : firstWhole * clusterBytes;
    const wholeEnd = whole === 0 ? end : Math.min(end, (firstWhole + whole) * clusterBytes);
    if (edges) {
      await this.#zeroBytes(position, wholeFrom);
      await this.#zeroBytes(wholeEnd, end);
    }
    for (let done = 0; done < whole; ) {
      const first = firstWhole + done;
      const count = Math.min(whole - done, l2Entries - (first % l2Entries), CLUSTERS_PER_STEP);
      await this.#step(() =>
        this.#clusters.run(first, first + count, true, () => this.#free(first, count, hides)),
      );
      done += count;
    }
  }

  /** A part of a request, which may have any length; a commit follows if much has changed. */
  async #step<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = await this.allocation.requests.run(work);
    await this.commitIfCrowded();
    return result;
  }

  async #free(first: number, count: number, hides: boolean): Promise<void> {
    const { clusterBytes } = this.file.form;
    const length = count * clusterBytes;
    const extent = await findExtent(this.file, first * clusterBytes, length);
    const wanted = hides ? 'zero' : 'none';
    if (extent.length === length && extent.kind === wanted) return;
    const mappings = Array.from({ length: count }, () => ({ kind: wanted }) as const);
    await this.allocation.map(first, mappings, true);
  }

  async #zeroBytes(from: number, end: number): Promise<void> {
    const { clusterBytes } = this.file.form;
    for (let at = from; at < end; ) {
      at += await this.#step(async () => {
        const { kind, length } = await findExtent(this.file, at, end - at);
        if (kind === 'zero' || (kind === 'none' && !this.#backing)) return length;
        const written = Math.min(length, clusterBytes);
        await this.#write(new Uint8Array(written), at);
        return written;
      });
    }
  }

  async sync(): Promise<void> {
    if (this.writeable) await this.#syncs.request();
  }

  async extent(position: number, lengthMax: number): Promise<DiskExtent> {
    checkRange(this, position, lengthMax);
    const { kind, length } = await findExtent(this.file, position, lengthMax);
    if (kind === 'data' || kind === 'compressed') return { kind: 'data', length };
    return { kind: kind === 'none' && this.#backing ? 'backing' : 'zero', length };
  }

  async resize(sizeBytes: number): Promise<void> {
    checkWriteable(this);
    if (this.file.header.snapshots > 0)
      throw unsupported('the image has internal snapshots: its size is fixed');
    const old = this.sizeBytes;
    const { clusterBytes, l2Entries } = this.file.form;
    // What is refused changes nothing.
    l1EntriesFor(sizeBytes, clusterBytes, l2Entries);
    if (sizeBytes < old) await this.writeZeroes(sizeBytes, old - sizeBytes);
    await resizeFile(this.file, sizeBytes);
    // A longer image behind this one must not show in what is new.
    const shown = Math.min(sizeBytes, this.#backing?.sizeBytes ?? 0);
    if (shown > old) {
      const length = Math.min(sizeBytes, Math.ceil(shown / clusterBytes) * clusterBytes) - old;
      await this.#clear(old, length, { edges: true, diskBytes: sizeBytes });
    }
    await this.sync();
    const { header } = this.file;
    try {
      await this.#commits.commit({ sizeBytes });
    } catch (error) {
      this.file.header = { ...this.file.header, sizeBytes: header.sizeBytes };
      throw error;
    }
  }

  /** Whether there is an image behind this one. */
  get hasBacking(): boolean {
    return this.#backing !== undefined;
  }

  /** Takes all tables to the first free places of the file. */
  async rewriteTables(): Promise<void> {
    const { file } = this;
    for (let key = 0; key < file.l1.length; key++) {
      if (file.l1[key] !== 0) await file.changingTables(() => touchTable(file.l2, key));
      await this.commitIfCrowded();
    }
    for (let block = 0; block < file.refcounts.blocks.length; block++) {
      const { cache, blocks } = file.refcounts;
      if (blocks[block] !== 0) await file.changingTables(() => touchTable(cache, block));
      await this.commitIfCrowded();
    }
    file.l1Changed = true;
    await this.sync();
  }

  async close(): Promise<void> {
    if (!this.writeable) return;
    await this.sync();
    await this.trimFile();
  }

  /** Cuts off what the file has behind its last cluster in use. */
  async trimFile(): Promise<void> {
    const { device, form, refcounts } = this.file;
    const end = await this.file.changingTables(() => refcounts.end());
    // A device that cannot be cut keeps its size; the image is as sound as before.
    if (end * form.clusterBytes < device.sizeBytes)
      await device.setSize(end * form.clusterBytes).catch(() => {});
  }

  /** Commits if so much has changed that memory for it would run out. */
  async commitIfCrowded(): Promise<void> {
    const { l2, refcounts } = this.file;
    const crowded = l2.isCrowded || refcounts.cache.isCrowded || refcounts.freedClusters > FREED_CLUSTERS_MAX;
    if (crowded) await this.sync();
  }
}

async function touchTable(tables: TableCache, key: number): Promise<void> {
  const table = await tables.pin(key);
  tables.touch(table);
  table.pins--;
}

function checkMayWrite({ header }: Qcow2File): void {
  if (header.incompatible & QCOW2_INCOMPATIBLE.corrupt) {
    throw malformed('the image is marked as corrupt: repair it before it is written to');
  }
  if (header.incompatible & QCOW2_INCOMPATIBLE.extendedL2) {
    throw unsupported('an image with subclusters can only be read');
  }
  if (header.bitmaps) throw unsupported('an image with persistent bitmaps can only be read');
}

/** Refuses blocks that are listed twice: a change of one count would be one of another, too. */
function checkRefcountBlocks({ refcounts }: Qcow2File): void {
  const seen = new Set<number>();
  for (const [index, offset] of refcounts.blocks.entries()) {
    if (offset === 0) continue;
    if (seen.has(offset)) throw malformed(`refcount block ${index} at byte ${offset} is another one's, too`);
    seen.add(offset);
  }
}

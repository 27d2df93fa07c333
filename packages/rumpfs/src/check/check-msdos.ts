/**
 * Checks a FAT. It shares no code with the driver, so that neither hides a mistake of the other: it
 * reads the whole table, walks the tree from the root, notes who owns each cluster, and compares.
 */
import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import { bytesAt } from './device.ts';
import { type CheckReport, Findings } from './report.ts';

/** The largest table that is read: that of a FAT32 with 2 TiB in clusters of 64 KiB. */
const TABLE_BYTES_MAX = 128 * 1024 * 1024;
const DIRECTORY_BYTES_MAX = 2 * 1024 * 1024;
const DEPTH_MAX = 512;
const NODES_MAX = 16_000_000;

interface Sizes {
  readonly bits: number;
  readonly sector: number;
  readonly cluster: number;
  readonly fats: number;
  readonly fatStart: number;
  readonly fatBytes: number;
  readonly rootStart: number;
  readonly rootBytes: number;
  readonly rootCluster: number;
  readonly dataStart: number;
  /** One more than the number of the last cluster. */
  readonly end: number;
}

/** A directory that is still to be walked. */
interface Task {
  readonly path: string;
  readonly first: number;
  readonly parentFirst: number;
  readonly depth: number;
}

/**
 * Checks the FAT on a device. Rejects with `NoFileSystem` where there is none, or `InputOutput`.
 */
export async function checkMsdos(bio: BlockIo): Promise<CheckReport> {
  const boot = await bytesAt(bio, 0, 512);
  return new MsdosCheck(bio, boot, sizesOf(new DataView(boot.buffer, boot.byteOffset))).run();
}

function sizesOf(boot: DataView): Sizes {
  const sector = boot.getUint16(11, true);
  const perCluster = boot.getUint8(13);
  const reserved = boot.getUint16(14, true);
  const fats = boot.getUint8(16);
  const rootEntries = boot.getUint16(17, true);
  const sectors = boot.getUint16(19, true) === 0 ? boot.getUint32(32, true) : boot.getUint16(19, true);
  const shortFat = boot.getUint16(22, true);
  const fatSectors = shortFat === 0 ? boot.getUint32(36, true) : shortFat;
  const sane = [512, 1024, 2048, 4096].includes(sector) && perCluster > 0 && 256 % perCluster === 0;
  if (!sane || reserved === 0 || fats === 0 || fatSectors === 0) {
    throw new FsError('NoFileSystem', 'check: no boot sector of a FAT');
  }
  const rootStart = (reserved + fats * fatSectors) * sector;
  const rootBytes = Math.ceil((rootEntries * 32) / sector) * sector;
  const dataStart = rootStart + rootBytes;
  const clusters = Math.floor((sectors - dataStart / sector) / perCluster);
  const bits = shortFat === 0 ? 32 : clusters < 4085 ? 12 : 16;
  const fitting = Math.floor((fatSectors * sector * 8) / bits);
  if (clusters < 1) throw new FsError('Corrupt', 'check: the boot sector leaves no room for clusters');
  if (fatSectors * sector > TABLE_BYTES_MAX) {
    throw new FsError('NotSupported', `check: a table of ${fatSectors * sector} bytes`);
  }
  return {
    bits,
    sector,
    cluster: perCluster * sector,
    fats,
    fatStart: reserved * sector,
    fatBytes: fatSectors * sector,
    rootStart,
    rootBytes: bits === 32 ? 0 : rootBytes,
    rootCluster: bits === 32 ? boot.getUint32(44, true) : 0,
    dataStart,
    end: Math.min(clusters + 2, fitting),
  };
}

/** One check. */
class MsdosCheck {
  readonly #bio: BlockIo;
  readonly #boot: Uint8Array;
  readonly #sizes: Sizes;
  readonly #found = new Findings();
  /** For each cluster the number of the node that has it, from 1 on. */
  readonly #owners: Uint32Array;
  #next = new Uint32Array(0);
  #nodes = 0;

  constructor(bio: BlockIo, boot: Uint8Array, sizes: Sizes) {
    this.#bio = bio;
    this.#boot = boot;
    this.#sizes = sizes;
    this.#owners = new Uint32Array(sizes.end);
  }

  async run(): Promise<CheckReport> {
    const { dataStart, end, cluster } = this.#sizes;
    const deviceBytes = this.#bio.sectorCount * this.#bio.sectorSizeBytes;
    const needed = dataStart + (end - 2) * cluster;
    if (needed > deviceBytes)
      this.#found.damage(`boot sector: ${needed} bytes, but the device ends after ${deviceBytes}`);
    await this.#readTables();
    this.#checkState();
    await this.#walk();
    await this.#checkFree();
    return this.#found.report('msdos');
  }

  async #readTables(): Promise<void> {
    const { fats, fatStart, fatBytes, bits, end } = this.#sizes;
    const active = bits === 32 && (this.#byte(40) & 0x80) !== 0 ? this.#byte(40) & 15 : 0;
    const copies = bits === 32 && (this.#byte(40) & 0x80) !== 0 ? 1 : fats;
    const used = Math.ceil((end * bits) / 8);
    const table = await bytesAt(this.#bio, fatStart + Math.min(active, fats - 1) * fatBytes, used);
    for (let copy = 1; copy < copies; copy += 1) {
      const other = await bytesAt(this.#bio, fatStart + copy * fatBytes, used);
      const differs = firstDifference(table, other);
      if (differs >= 0) this.#found.harmless(`FAT ${copy + 1}: differs from the first at byte ${differs}`);
    }
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
    this.#next = new Uint32Array(end);
    for (let index = 0; index < end; index += 1) {
      if (bits === 32) this.#next[index] = view.getUint32(index * 4, true) & 0x0fff_ffff;
      else if (bits === 16) this.#next[index] = view.getUint16(index * 2, true);
      else this.#next[index] = twelveBits(table, index);
    }
  }

  /** The bits that say whether the volume was left in use. */
  #checkState(): void {
    const { bits } = this.#sizes;
    const signature = this.#byte(bits === 32 ? 66 : 38);
    const state = signature === 0x28 || signature === 0x29 ? this.#byte(bits === 32 ? 65 : 37) : 0;
    const second = this.#next[1] ?? 0;
    const tableClean = bits === 12 || (second & (bits === 32 ? 0x0800_0000 : 0x8000)) !== 0;
    if ((state & 1) !== 0 || !tableClean) this.#found.harmless('volume: was not unmounted cleanly');
  }

  async #walk(): Promise<void> {
    const { rootCluster } = this.#sizes;
    this.#nodes = 1;
    const tasks: Task[] = [{ path: '', first: rootCluster, parentFirst: 0, depth: 0 }];
    for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
      const owner = task.depth === 0 ? 1 : 0;
      const bytes = await this.#directoryBytes(task, owner);
      if (bytes !== undefined) this.#entries(task, bytes, tasks);
    }
  }

  async #directoryBytes(task: Task, owner: number): Promise<Uint8Array | undefined> {
    const { rootStart, rootBytes, cluster, dataStart } = this.#sizes;
    const name = task.path === '' ? 'the root directory' : task.path;
    if (task.first === 0) return bytesAt(this.#bio, rootStart, rootBytes);
    // The chain of any directory but the root was claimed when its entry was read.
    const chain = owner === 0 ? this.#chain(task.first) : this.#claim(task.first, owner, name, -1);
    if (chain.length * cluster > DIRECTORY_BYTES_MAX) {
      this.#found.damage(`${name}: a directory of ${chain.length} clusters`);
      return undefined;
    }
    const bytes = new Uint8Array(chain.length * cluster);
    for (const [index, number] of chain.entries()) {
      try {
        bytes.set(await bytesAt(this.#bio, dataStart + (number - 2) * cluster, cluster), index * cluster);
      } catch (error) {
        this.#found.damage(`${name}: cluster ${number}: ${messageOf(error)}`);
        return undefined;
      }
    }
    return bytes;
  }

  #entries(task: Task, bytes: Uint8Array, tasks: Task[]): void {
    const names = new Set<string>();
    let long = 0;
    let sum = 0;
    for (let offset = 0; offset < bytes.length && bytes[offset] !== 0; offset += 32) {
      const entry = bytes.subarray(offset, offset + 32);
      const where = `${task.path}/ at ${offset}`;
      const attributes = entry[11] ?? 0;
      if (entry[0] === 0xe5) {
        long = this.#endLongName(long, where);
      } else if ((attributes & 0x3f) === 0x0f) {
        const number = (entry[0] ?? 0) & 0x3f;
        const starts = ((entry[0] ?? 0) & 0x40) !== 0;
        if (!starts && (long !== number + 1 || sum !== entry[13]))
          this.#found.harmless(`${where}: a part of a long name without its end`);
        if (starts) this.#endLongName(long, where);
        long = number;
        sum = entry[13] ?? 0;
      } else if ((attributes & 0x08) !== 0) {
        long = 0;
      } else {
        if (long > 1 || (long === 1 && sum !== sumOf(entry)))
          this.#found.harmless(`${where}: a long name that belongs to another entry`);
        long = 0;
        this.#entry(task, entry, names, tasks);
      }
    }
    this.#endLongName(long, `${task.path}/`);
  }

  #endLongName(long: number, where: string): number {
    if (long !== 0) this.#found.harmless(`${where}: a long name without an entry`);
    return 0;
  }

  #entry(task: Task, entry: Uint8Array, names: Set<string>, tasks: Task[]): void {
    const view = new DataView(entry.buffer, entry.byteOffset, 32);
    const short = String.fromCharCode(...entry.subarray(0, 8)).trimEnd();
    const extension = String.fromCharCode(...entry.subarray(8, 11)).trimEnd();
    const name = extension === '' ? short : `${short}.${extension}`;
    const path = `${task.path}/${name}`;
    const upper = this.#sizes.bits === 32 ? view.getUint16(20, true) * 0x1_0000 : 0;
    const first = upper + view.getUint16(26, true);
    const size = view.getUint32(28, true);
    const isDirectory = ((entry[11] ?? 0) & 0x10) !== 0;
    if (name === '.' || name === '..') {
      const expected = name === '.' ? task.first : task.parentFirst;
      if (task.depth === 0) this.#found.damage(`${path}: in the root directory`);
      else if (first !== expected)
        this.#found.harmless(`${path}: leads to cluster ${first}, not ${expected}`);
      return;
    }
    if (names.has(name)) this.#found.damage(`${path}: two entries have this short name`);
    names.add(name);
    if (this.#nodes >= NODES_MAX) return;
    this.#nodes += 1;
    const owner = this.#nodes;
    if (!isDirectory) {
      this.#found.files += 1;
      const clusters = Math.ceil(size / this.#sizes.cluster);
      if (first === 0) {
        if (size > 0) this.#found.damage(`${path}: ${size} bytes, but no clusters`);
        return;
      }
      if (size === 0) this.#found.harmless(`${path}: clusters, but no bytes`);
      this.#claim(first, owner, path, clusters);
      return;
    }
    this.#found.directories += 1;
    if (task.depth >= DEPTH_MAX) this.#found.damage(`${path}: deeper than ${DEPTH_MAX} directories`);
    else if (this.#claim(first, owner, path, -1).length > 0) {
      tasks.push({ path, first, parentFirst: task.depth === 0 ? 0 : task.first, depth: task.depth + 1 });
    }
  }

  /** Follows a chain and notes its owner. Returns what of it belongs to nobody else. */
  #claim(first: number, owner: number, name: string, clusters: number): number[] {
    const chain: number[] = [];
    let cluster = first;
    for (;;) {
      if (cluster < 2 || cluster >= this.#sizes.end) {
        this.#found.damage(`${name}: leads to cluster ${cluster}, which there is not`);
        break;
      }
      const other = this.#owners[cluster] ?? 0;
      if (other === owner) {
        this.#found.damage(`${name}: its clusters lead in a circle at ${cluster}`);
        break;
      }
      if (other !== 0) {
        this.#found.damage(`${name}: shares cluster ${cluster} with another`);
        break;
      }
      const next = this.#next[cluster] ?? 0;
      if (next === 0) {
        this.#found.damage(`${name}: cluster ${cluster} is marked as free`);
        break;
      }
      this.#owners[cluster] = owner;
      chain.push(cluster);
      if (next >= this.#last) break;
      cluster = next;
    }
    if (clusters >= 0 && chain.length < clusters)
      this.#found.damage(`${name}: ${clusters} clusters by its size, but has ${chain.length}`);
    if (clusters >= 0 && chain.length > clusters)
      this.#found.harmless(`${name}: ${clusters} clusters by its size, but has ${chain.length}`);
    return chain;
  }

  /** A chain that was claimed before. */
  #chain(first: number): number[] {
    const chain: number[] = [];
    const owner = this.#owners[first] ?? 0;
    if (owner === 0) return chain;
    for (let cluster = first; (this.#owners[cluster] ?? 0) === owner; ) {
      if (chain.length > this.#sizes.end) break;
      chain.push(cluster);
      const next = this.#next[cluster] ?? 0;
      if (next >= this.#last || next < 2 || next >= this.#sizes.end) break;
      cluster = next;
    }
    return chain;
  }

  async #checkFree(): Promise<void> {
    let free = 0;
    let lost = 0;
    for (let cluster = 2; cluster < this.#sizes.end; cluster += 1) {
      const next = this.#next[cluster] ?? 0;
      if (next === 0) free += 1;
      else if ((this.#owners[cluster] ?? 0) === 0 && next !== this.#last - 1) lost += 1;
    }
    if (lost > 0) this.#found.harmless(`FAT: ${lost} clusters are in use, but belong to nothing`);
    const { bits, sector } = this.#sizes;
    const at = this.#byte(48) + this.#byte(49) * 256;
    if (bits !== 32 || at === 0 || at === 0xffff) return;
    const info = await bytesAt(this.#bio, at * sector, 512);
    const view = new DataView(info.buffer, info.byteOffset);
    if (view.getUint32(0, true) !== 0x4161_5252) return;
    const said = view.getUint32(488, true);
    if (said !== 0xffff_ffff && said !== free)
      this.#found.harmless(`FSInfo: ${said} clusters are free, but it is ${free}`);
  }

  /** From this number on an entry is the end of a chain. */
  get #last(): number {
    return this.#sizes.bits === 32 ? 0x0fff_fff8 : this.#sizes.bits === 16 ? 0xfff8 : 0xff8;
  }

  #byte(offset: number): number {
    return this.#boot[offset] ?? 0;
  }
}

function sumOf(entry: Uint8Array): number {
  let sum = 0;
  for (const byte of entry.subarray(0, 11)) sum = (((sum >> 1) | ((sum & 1) << 7)) + byte) & 255;
  return sum;
}

function twelveBits(table: Uint8Array, index: number): number {
  const at = Math.floor((index * 3) / 2);
  const pair = (table[at] ?? 0) + (table[at + 1] ?? 0) * 256;
  return index % 2 === 0 ? pair % 4096 : Math.floor(pair / 16);
}

function firstDifference(one: Uint8Array, other: Uint8Array): number {
  for (let index = 0; index < one.length; index += 1) if (one[index] !== other[index]) return index;
  return -1;
}

/** One tree of a disc: that of a volume descriptor, from its root on. */
import { messageOf } from '../../errors.ts';
import type { Device } from '../device.ts';
import type { Findings } from '../report.ts';
import { SECTOR_BYTES, type Volume } from './descriptors.ts';
import type { Extents } from './extents.ts';
import { FLAG, type Record, recordAt } from './record.ts';
import { readSystemUse, type SystemUse } from './system-use.ts';

const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024;
const DIRECTORIES_MAX = 2_000_000;
const ZISOFS_MAGIC = [0x37, 0xe4, 0x53, 0x96, 0xc9, 0xdb, 0xd6, 0x07];
const SELF = '\0';
const ABOVE = '\u0001';

/** A directory that was found, by its first block. */
export interface FoundDirectory {
  readonly block: number;
  readonly parent: number;
  readonly name: string;
}

interface Task extends FoundDirectory {
  readonly size: number;
  readonly where: string;
}

export class Tree {
  /** All directories, by their first blocks, in the order in which they were found. */
  readonly directories = new Map<number, FoundDirectory>();
  readonly #device: Device;
  readonly #found: Findings;
  readonly #volume: Volume;
  readonly #extents: Extents;
  /** Whether files are counted: each stands in every tree. */
  readonly #counts: boolean;
  readonly #tasks: Task[] = [];
  /** The bytes that records of the tree skip in system use areas; undefined without such. */
  #skip: number | undefined;
  /** Where moved directories belong: the block above, by the block of the directory. */
  readonly #children = new Map<number, { readonly above: number; readonly where: string }>();
  readonly #parents = new Map<number, number>();
  #bytesLeft: number;

  constructor(device: Device, found: Findings, volume: Volume, extents: Extents, counts: boolean) {
    this.#device = device;
    this.#found = found;
    this.#volume = volume;
    this.#extents = extents;
    this.#counts = counts;
    // Directories lie beside each other: all of them are not larger than the disc.
    this.#bytesLeft = device.sizeBytes;
  }

  async run(): Promise<void> {
    const padded = new Uint8Array(SECTOR_BYTES);
    padded.set(this.#volume.rootRecord);
    const root = recordAt(this.#found, padded, 0, 0);
    if (root === undefined || (root.flags & FLAG.directory) === 0) {
      this.#found.damage(`${this.#volume.name}: no record of a root directory`);
      return;
    }
    this.#enter({
      block: root.block,
      size: root.size,
      parent: root.block,
      name: SELF,
      where: `${this.#volume.name}: root`,
    });
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift())
      await this.#directory(task);
    this.#checkMoved();
  }

  #enter(task: Task): void {
    const { block, size, where } = task;
    if (this.directories.has(block)) {
      this.#found.damage(`${where}: leads to the directory in block ${block} a second time`);
      return;
    }
    if (size === 0 || size % SECTOR_BYTES !== 0 || size > DIRECTORY_BYTES_MAX || size > this.#bytesLeft) {
      this.#found.damage(`${where}: a directory of ${size} bytes`);
      return;
    }
    if (this.directories.size >= DIRECTORIES_MAX) return;
    this.#bytesLeft -= size;
    this.directories.set(block, task);
    if (this.#counts) this.#found.directories += 1;
    this.#extents.add(block * this.#volume.blockBytes, size, `directory in block ${block}`, true);
    this.#tasks.push(task);
  }

  async #directory(task: Task): Promise<void> {
    const { blockBytes } = this.#volume;
    const base = task.block * blockBytes;
    const names = new Set<string>();
    let index = 0;
    let open: Record | undefined;
    for (let sector = 0; sector < task.size; sector += SECTOR_BYTES) {
      const bytes = await this.#read(base + sector, SECTOR_BYTES, task.where);
      if (bytes === undefined) return;
      for (let at = 0; at < SECTOR_BYTES && bytes[at] !== 0; ) {
        const record = recordAt(this.#found, bytes, at, base + sector);
        if (record === undefined) break;
        at += record.length;
        if (index < 2) await this.#dot(task, record, index);
        else {
          if (open !== undefined && open.name !== record.name)
            this.#found.damage(`${open.where}: its last extent is missing`);
          const goesOn = open?.name === record.name;
          if (!goesOn) this.#name(record, names);
          open = (record.flags & FLAG.more) === 0 ? undefined : record;
          await this.#entry(task, record, goesOn || open !== undefined);
        }
        index += 1;
      }
    }
    if (open !== undefined) this.#found.damage(`${open.where}: its last extent is missing`);
    if (index < 2)
      this.#found.damage(`${task.where}: directory in block ${task.block}: does not begin with itself`);
  }

  #name({ name, flags, where }: Record, names: Set<string>): void {
    const key = `${flags & FLAG.associated} ${name}`;
    if (names.has(key)) this.#found.damage(`${where}: the directory has that name twice`);
    names.add(key);
  }

  /** The first two records: the directory itself, and the one above. */
  async #dot(task: Task, record: Record, index: number): Promise<void> {
    const name = index === 0 ? SELF : ABOVE;
    // In the trees of Joliet by libisofs each ".." leads to its own directory.
    const right = record.block === task.block || (index === 1 && record.block === task.parent);
    if (record.name !== name || !right || (record.flags & FLAG.directory) === 0)
      this.#found.damage(`${record.where}: is not record ${index} of the directory in block ${task.block}`);
    const first = index === 0 && this.directories.size === 1;
    if (first) {
      const [one, other] = record.systemUse;
      if (one === 0x53 && other === 0x50) this.#skip = 0;
    }
    const use = await this.#use(record);
    if (first && use !== undefined) this.#skip = use.skip;
    if (index === 1 && use?.parent !== undefined) this.#parents.set(task.block, use.parent);
  }

  async #entry(task: Task, record: Record, partly: boolean): Promise<void> {
    const { blockBytes } = this.#volume;
    const use = await this.#use(record);
    if (use?.child !== undefined) {
      this.#children.set(use.child, { above: task.block, where: record.where });
      return;
    }
    if ((record.flags & FLAG.directory) !== 0) {
      if (use?.mode !== undefined && use.mode >>> 12 !== 4)
        this.#found.damage(`${record.where}: a directory, but system use says mode 0${use.mode.toString(8)}`);
      this.#enter({
        block: record.block,
        size: record.size,
        parent: task.block,
        name: record.name,
        where: record.where,
      });
      return;
    }
    if (this.#counts && (record.flags & FLAG.more) === 0) this.#found.files += 1;
    if (use?.mode !== undefined && use.mode >>> 12 === 4)
      this.#found.damage(`${record.where}: a file, but system use says mode 0${use.mode.toString(8)}`);
    if (record.interleaved) this.#found.harmless(`${record.where}: an interleaved file`);
    const from = record.block * blockBytes;
    if (record.size > 0 && from + record.size > this.#device.sizeBytes) {
      this.#found.damage(
        `${record.where}: bytes ${from} to ${from + record.size} are behind the device's end`,
      );
      return;
    }
    this.#extents.add(from, record.size, record.where, false);
    if (use?.unpackedBytes !== undefined && !partly) await this.#checkZisofs(record, from, use.unpackedBytes);
  }

  async #use(record: Record): Promise<SystemUse | undefined> {
    if (this.#skip === undefined) return undefined;
    const area = record.systemUse.subarray(this.#skip);
    return readSystemUse(this.#device, this.#found, this.#volume.blockBytes, area.slice(), record.where);
  }

  /** A packed file: a header of 16 bytes, and where each block begins. */
  async #checkZisofs(record: Record, from: number, unpackedBytes: number): Promise<void> {
    const wrong = (what: string): void => this.#found.damage(`${record.where}: zisofs: ${what}`);
    const head = record.size < 16 ? undefined : await this.#read(from, 16, record.where);
    if (head === undefined || ZISOFS_MAGIC.some((byte, index) => head[index] !== byte)) {
      wrong('no header');
      return;
    }
    const view = new DataView(head.buffer, head.byteOffset);
    const shift = head[13] ?? 0;
    if (view.getUint32(8, true) !== unpackedBytes)
      wrong(`${view.getUint32(8, true)} bytes, not ${unpackedBytes}`);
    if (head[12] !== 4 || shift < 15 || shift > 17) {
      wrong(`a header of ${head[12]} words, blocks of 2^${shift}`);
      return;
    }
    const count = Math.ceil(unpackedBytes / 2 ** shift) + 1;
    if (16 + count * 4 > record.size) {
      wrong(`${count} pointers in ${record.size} bytes`);
      return;
    }
    const bytes = await this.#read(from + 16, count * 4, record.where);
    if (bytes === undefined) return;
    const pointers = new DataView(bytes.buffer, bytes.byteOffset);
    let last = 16 + count * 4;
    for (let index = 0; index < count; index += 1) {
      const pointer = pointers.getUint32(index * 4, true);
      if (pointer < last || pointer > record.size || (index === 0 && pointer !== last)) {
        wrong(`block ${index} begins at byte ${pointer}, not from ${last} on`);
        return;
      }
      last = pointer;
    }
  }

  /** Directories that were moved because of their depth know where they belong. */
  #checkMoved(): void {
    for (const [block, { above, where }] of this.#children) {
      if (!this.directories.has(block))
        this.#found.damage(`${where}: leads to block ${block}, which is no directory`);
      else if (this.#parents.get(block) !== above)
        this.#found.damage(
          `${where}: the directory in block ${block} belongs to block ${this.#parents.get(block)}`,
        );
    }
    for (const block of this.#parents.keys())
      if (!this.#children.has(block))
        this.#found.damage(`directory in block ${block}: was moved, but nothing leads to it`);
  }

  async #read(offset: number, length: number, where: string): Promise<Uint8Array | undefined> {
    try {
      return (await this.#device.bytes(offset, length)).slice();
    } catch (error) {
      this.#found.damage(`${where}: ${messageOf(error)}`);
      return undefined;
    }
  }
}

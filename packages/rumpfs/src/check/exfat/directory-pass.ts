import { messageOf } from '../../errors.ts';
import { claim, type Context, placeOf } from './context.ts';
import { checkFile, type FileFacts } from './file-pass.ts';
import { checksumOfSet, type Item, itemsOf } from './sets.ts';
import { capitalsOf } from './upcase.ts';

const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024;
const DEPTH_MAX = 1000;
const NODES_MAX = 5_000_000;
/** Units that a name gets at its end, so that it is another one. */
const MARK_UNITS = 5;

const NAME = 0xc1;

/** A directory that is still to be looked at. */
interface Task {
  readonly path: string;
  readonly clusters: readonly number[];
  readonly depth: number;
}

/** An entry of the root directory that is of the volume. */
export interface VolumeEntry {
  readonly type: number;
  readonly bytes: Uint8Array;
  /** Its place on the device. */
  readonly place: number;
}

/** Reads the bytes of a directory; undefined where they cannot be read, which is a finding. */
export async function directoryBytes(
  { image, geometry, found }: Context,
  path: string,
  clusters: readonly number[],
): Promise<Uint8Array | undefined> {
  if (clusters.length * geometry.clusterBytes > DIRECTORY_BYTES_MAX) {
    found.damage(`${path}: a directory of ${clusters.length} clusters`);
    return undefined;
  }
  const bytes = new Uint8Array(clusters.length * geometry.clusterBytes);
  for (const [index, cluster] of clusters.entries()) {
    try {
      bytes.set(
        await image.read(placeOf(geometry, cluster), geometry.clusterBytes),
        index * geometry.clusterBytes,
      );
    } catch (error) {
      found.damage(`${path}: cluster ${cluster}: ${messageOf(error)}`);
      return undefined;
    }
  }
  return bytes;
}

/** Looks at all directories, from the root on, and at what is in them. */
export class DirectoryPass {
  readonly #context: Context;
  #nodes = 0;
  readonly #tasks: Task[] = [];

  constructor(context: Context) {
    this.#context = context;
  }

  async run(rootClusters: readonly number[]): Promise<void> {
    this.#tasks.push({ path: '', clusters: rootClusters, depth: 0 });
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop())
      await this.#directory(task);
  }

  async #directory(task: Task): Promise<void> {
    const name = task.path === '' ? '/' : task.path;
    const bytes = await directoryBytes(this.#context, name, task.clusters);
    if (bytes === undefined) return;
    const names = new Set<string>();
    for (const item of itemsOf(bytes)) {
      switch (item.kind) {
        case 'file':
          await this.#file(task, item.at, item.bytes, item.name, names);
          break;
        case 'volume':
          await this.#volumeEntry(task, item);
          break;
        case 'stray':
          this.#context.found.damage(`${name} at ${item.at}: ${item.what}`);
          await this.#giveUp(task, item.at, bytes.slice(item.at, item.at + item.length));
          break;
        case 'behind':
          this.#context.found.harmless(`${name} at ${item.at}: an entry behind the end`);
          if (this.#context.mends) await this.#clear(task, bytes, item.at);
          break;
      }
    }
  }

  async #volumeEntry(task: Task, { at, bytes, type }: Item & { readonly kind: 'volume' }): Promise<void> {
    const benign = (type & 0x20) !== 0;
    if (benign) {
      await this.#claimBenign(`${task.path}/ at ${at}`, bytes, 4);
      return;
    }
    if (task.depth === 0) return;
    this.#context.found.damage(
      `${task.path}/ at ${at}: an entry 0x${type.toString(16)}, which only a root directory has`,
    );
    await this.#giveUp(task, at, bytes.slice());
  }

  /** Claims the clusters of an entry that may be ignored. */
  async #claimBenign(where: string, entry: Uint8Array, flagsAt: number): Promise<void> {
    const view = new DataView(entry.buffer, entry.byteOffset, 32);
    const first = view.getUint32(20, true);
    const flags = view.getUint8(flagsAt);
    // Of these, only those of vendors are known to have clusters.
    if ((flags & 1) === 0 || first === 0 || view.getUint8(0) === 0xa0 || view.getUint8(0) === 0xe0) return;
    const wanted = Math.ceil(Number(view.getBigUint64(24, true)) / this.#context.geometry.clusterBytes);
    const { mistake } = await claim(this.#context, first, wanted, (flags & 2) !== 0);
    if (mistake !== undefined) this.#context.found.damage(`${where}: an entry of a vendor ${mistake}`);
  }

  async #file(task: Task, at: number, bytes: Uint8Array, name: string, names: Set<string>): Promise<void> {
    const context = this.#context;
    const path = `${task.path}/${name}`;
    if (this.#nodes >= NODES_MAX) return;
    this.#nodes += 1;
    const facts = await checkFile(context, path, bytes.slice(), name);
    const folded = capitalsOf(context.capitals, facts.name);
    let set = facts.set;
    if (names.has(folded)) {
      context.found.damage(`${path}: two entries have this name`);
      if (context.mends) set = this.#renamed(facts, names);
    } else {
      names.add(folded);
    }
    const surplus = new Set<number>();
    for (let extra = facts.knownEntries * 32; extra < set.length; extra += 32) {
      const entry = set.subarray(extra, extra + 32);
      if (entry[0] === NAME) {
        context.found.damage(`${path}: more of a name than its length says`);
        surplus.add(extra);
      } else if (((entry[0] ?? 0) & 0x20) === 0) {
        context.found.harmless(`${path}: an unknown entry 0x${(entry[0] ?? 0).toString(16)}`);
        context.unknownClusters = true;
      } else {
        await this.#claimBenign(path, entry, 1);
      }
    }
    if (context.mends) await this.#put(task, at, surplus.size > 0 ? withoutEntries(set, surplus) : set);
    if (!facts.isDirectory) {
      context.found.files += 1;
      return;
    }
    context.found.directories += 1;
    if (task.depth >= DEPTH_MAX) context.found.damage(`${path}: deeper than ${DEPTH_MAX} directories`);
    else this.#tasks.push({ path, clusters: facts.clusters, depth: task.depth + 1 });
  }

  /** The entries with another name of the same length, which no other has. */
  #renamed(facts: FileFacts, names: Set<string>): Uint8Array {
    const { capitals } = this.#context;
    for (let number = 1; ; number += 1) {
      const mark = `~${number}`.slice(-MARK_UNITS);
      const name = (facts.name.slice(0, Math.max(0, facts.name.length - mark.length)) + mark).slice(
        -facts.name.length,
      );
      const folded = capitalsOf(capitals, name);
      if (names.has(folded) && number < 100_000) continue;
      names.add(folded);
      return facts.rename(name);
    }
  }

  /** Marks entries as given up. */
  async #giveUp(task: Task, at: number, entries: Uint8Array): Promise<void> {
    if (!this.#context.mends) return;
    for (let entry = 0; entry < entries.length; entry += 32) entries[entry] = (entries[entry] ?? 0) & 0x7f;
    await this.#put(task, at, entries);
  }

  async #clear(task: Task, bytes: Uint8Array, from: number): Promise<void> {
    for (let at = from; at < bytes.length; at += 32)
      if (bytes[at] !== 0) await this.#put(task, at, new Uint8Array(32));
  }

  /** Writes entries from byte `at` of a directory on. */
  async #put(task: Task, at: number, entries: Uint8Array): Promise<void> {
    const { geometry, image } = this.#context;
    for (let entry = 0; entry < entries.length; entry += 32) {
      const cluster = task.clusters[Math.floor((at + entry) / geometry.clusterBytes)] ?? 0;
      const place = placeOf(geometry, cluster) + ((at + entry) % geometry.clusterBytes);
      const before = await image.read(place, 32);
      const after = entries.subarray(entry, entry + 32);
      if (after.some((byte, index) => byte !== before[index])) await image.change(place, after);
    }
  }
}

/** The entries of a file without some of them, whose slots are given up behind the others. */
function withoutEntries(set: Uint8Array, surplus: ReadonlySet<number>): Uint8Array {
  const result = new Uint8Array(set.length);
  let end = 0;
  for (let at = 0; at < set.length; at += 32) {
    if (surplus.has(at)) continue;
    result.set(set.subarray(at, at + 32), end);
    end += 32;
  }
  const kept = result.subarray(0, end);
  kept[1] = end / 32 - 1;
  new DataView(kept.buffer).setUint16(2, checksumOfSet(kept), true);
  for (let at = end; at < set.length; at += 32) result[at] = NAME & 0x7f;
  return result;
}

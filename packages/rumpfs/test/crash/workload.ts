import { FsError } from '../../src/errors.ts';
import { mountFileSystem } from '../../src/file-systems.ts';
import type { Mount } from '../../src/vnode/mount.ts';
import { resolveParent, resolvePath } from '../../src/vnode/path.ts';
import type { Vnode } from '../../src/vnode/vnode.ts';
import { randomFrom } from '../memory-hypercalls.ts';
import type { RecordedDisk } from './recorded-disk.ts';

/** The unit in which contents name their owner. */
export const MARK_BYTES = 128;

/** Contents in which each piece names its owner: a file's version and the piece's place. */
export function marked(version: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 8 <= length; at += MARK_BYTES) {
    bytes.fill(version & 0xff, at, Math.min(length, at + MARK_BYTES));
    view.setUint32(at, version);
    view.setUint32(at + 4, at);
  }
  return bytes;
}

/** The contents that a node may have after a power failure. */
export interface Version {
  readonly bytes: Uint8Array;
  /**
   * The file was changed in place since it was synced, so each piece may be that of any of these.
   */
  readonly pieces: readonly Uint8Array[];
}

/** The versions that a name may lead to; it may also lead to nothing. */
export interface Possible {
  versions: Version[];
  absent: boolean;
}

/** A moment of a run: what the names may lead to if the power fails from event `from` on. */
export interface Moment {
  readonly from: number;
  readonly names: ReadonlyMap<string, Possible>;
  /** Files that must be found under at least one of their names: the names, with the contents. */
  readonly moved: readonly { readonly names: readonly string[]; readonly version: Version }[];
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((name) => [`/${name}`, `/x/${name}`, `/y/${name}`]);

/**
 * Changes files at random, syncs now and then, and records what each name may lead to if the power
 * fails. It knows nothing of how the file system works: a file that was synced and then replaced is
 * found as the old one or the new one.
 */
export class Workload {
  readonly moments: Moment[] = [];
  readonly #disk: RecordedDisk;
  readonly #mount: Mount;
  readonly #random: () => number;
  readonly #possible = new Map<string, Possible>();
  readonly #current = new Map<string, Version>();
  /** Versions that were durable at the last sync, by the names that they have had since. */
  #moved = new Map<Version, Set<string>>();
  /** The names that each file, by the one that it has now, has had since the last sync. */
  readonly #namesSince = new Map<string, ReadonlySet<string>>();
  readonly #open: Vnode[] = [];
  #version = 0;

  private constructor(disk: RecordedDisk, mount: Mount, seed: number) {
    this.#disk = disk;
    this.#mount = mount;
    this.#random = randomFrom(seed);
  }

  /** Mounts the disk, works and unmounts. */
  static async run(
    disk: RecordedDisk,
    seed: number,
    steps: number,
    type = 'ext2',
  ): Promise<readonly Moment[]> {
    const mount = await mountFileSystem(disk, type, { writeable: true });
    const work = new Workload(disk, mount, seed);
    for (const directory of ['x', 'y']) {
      await mount.release(await mount.createDirectory(mount.root, directory));
    }
    // The files make the directories span several blocks, so that names move between blocks.
    for (let index = 0; index < 40; index += 1) {
      const name = `${index}-${'long'.repeat(20)}`;
      await mount.release(await mount.createFile(mount.root, name));
    }
    await work.#sync();
    for (let step = 0; step < steps; step += 1) await work.#step();
    for (const vnode of work.#open.splice(0)) await mount.release(vnode);
    await work.#sync();
    await mount.unmount();
    return work.moments;
  }

  async #step(): Promise<void> {
    const choice = this.#random();
    try {
      if (choice < 0.3) await this.#replace();
      else if (choice < 0.45) await this.#create(this.#pick(NAMES), this.#size());
      else if (choice < 0.55) await this.#move();
      else if (choice < 0.65) await this.#unlink();
      else if (choice < 0.75) await this.#changeInPlace();
      else if (choice < 0.8) await this.#hold();
      else if (choice < 0.85) await this.#directories();
      else await this.#sync();
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
    }
  }

  /**
   * Replaces a file as editors do: writes a new file beside the old one and renames it over that;
   * with or without a sync in between.
   */
  async #replace(): Promise<void> {
    const target = this.#pick([...this.#current.keys(), ...NAMES.slice(0, 2)]);
    const aside = this.#pick(['/new', '/x/new']);
    await this.#create(aside, this.#size());
    if (this.#random() < 0.4) await this.#sync();
    await this.#rename(aside, target);
  }

  async #move(): Promise<void> {
    const from = this.#pick([...this.#current.keys()]);
    const to = this.#pick(NAMES);
    if (from !== undefined && from !== to && !this.#current.has(to)) await this.#rename(from, to);
  }

  async #create(path: string, length: number): Promise<void> {
    if (this.#current.has(path)) return;
    const version: Version = { bytes: marked((this.#version += 1), length), pieces: [] };
    // A file grows in place, with holes for a while; under a name that it gets later it is
    // complete.
    this.#allow(path, { bytes: new Uint8Array(0), pieces: [version.bytes] });
    const file = await this.#at(path, (directory, name) => this.#mount.createFile(directory, name));
    this.#current.set(path, version);
    this.#namesSince.set(path, new Set([path]));
    const written = await this.#mount.write(file, 0, version.bytes).catch(() => 0);
    await this.#mount.release(file);
    if (written === length) return;
    this.#current.set(path, { bytes: version.bytes.slice(0, written), pieces: [] });
  }

  async #rename(from: string, to: string): Promise<void> {
    const version = this.#current.get(from);
    if (version === undefined) return;
    this.#allow(to, version);
    this.#maybeAbsent(from);
    const replaced = this.#current.get(to);
    if (replaced !== undefined) this.#moved.delete(replaced);
    this.#moved.get(version)?.add(to);
    this.#mark();
    await this.#at(from, (directory, name) =>
      this.#at(to, (toDirectory, toName) => this.#mount.rename(directory, name, toDirectory, toName)),
    );
    this.#current.delete(from);
    this.#current.set(to, version);
    this.#namesSince.set(to, new Set([...(this.#namesSince.get(from) ?? [from]), to]));
  }

  async #unlink(): Promise<void> {
    const path = this.#pick([...this.#current.keys()]);
    const version = this.#current.get(path);
    if (version === undefined) return;
    this.#moved.delete(version);
    this.#maybeAbsent(path);
    this.#mark();
    await this.#at(path, (directory, name) => this.#mount.unlink(directory, name));
    this.#current.delete(path);
  }

  /** Overwrites, cuts, or extends a file in place: pieces of it may be old, new, or zeros. */
  async #changeInPlace(): Promise<void> {
    const path = this.#pick([...this.#current.keys()]);
    const before = this.#current.get(path);
    if (before === undefined) return;
    const bytes = marked((this.#version += 1), this.#size());
    const kept = this.#random() < 0.5 ? Math.floor((this.#random() * before.bytes.length) / 1024) * 1024 : 0;
    const after = new Uint8Array(kept + bytes.length);
    after.set(before.bytes.subarray(0, kept));
    after.set(bytes, kept);
    const version: Version = { bytes: after, pieces: [before.bytes, ...before.pieces] };
    // A name that the file has had may still be on the device, and leads to the changed file then.
    const names = this.#namesSince.get(path) ?? [path];
    for (const name of names) this.#allow(name, version);
    this.#moved.delete(before);
    this.#mark();
    await this.#with(path, async (vnode) => {
      await this.#mount.truncate(vnode, kept);
      const written = await this.#mount.write(vnode, kept, bytes).catch(() => 0);
      this.#current.set(path, { ...version, bytes: after.slice(0, kept + written) });
    });
    const now = this.#current.get(path);
    if (now !== undefined) for (const name of names) this.#allow(name, now);
  }

  /** Opens a file and removes its name, or closes the oldest of such files. */
  async #hold(): Promise<void> {
    const path = this.#pick([...this.#current.keys()]);
    const version = this.#current.get(path);
    if (version === undefined || this.#open.length > 2) {
      const oldest = this.#open.shift();
      if (oldest !== undefined) await this.#mount.release(oldest);
      return;
    }
    this.#open.push(await this.#with(path, (vnode) => this.#mount.hold(vnode)));
    this.#moved.delete(version);
    this.#maybeAbsent(path);
    this.#mark();
    await this.#at(path, (directory, name) => this.#mount.unlink(directory, name));
    this.#current.delete(path);
  }

  /** Makes and removes directories, and their blocks with them. */
  async #directories(): Promise<void> {
    const made = await this.#mount.createDirectory(this.#mount.root, 'temporary');
    await this.#mount.release(await this.#mount.createFile(made, 'inner'));
    if (this.#random() < 0.5) await this.#mount.sync();
    await this.#mount.unlink(made, 'inner');
    await this.#mount.release(made);
    await this.#mount.removeDirectory(this.#mount.root, 'temporary');
  }

  /** Syncs. From here on each name leads to what it leads to now. */
  async #sync(): Promise<void> {
    await this.#mount.sync();
    this.#possible.clear();
    this.#moved = new Map();
    for (const [path, version] of this.#current) {
      this.#namesSince.set(path, new Set([path]));
      const durable: Version = { bytes: version.bytes, pieces: [] };
      this.#current.set(path, durable);
      this.#possible.set(path, { versions: [durable], absent: false });
      this.#moved.set(durable, new Set([path]));
    }
    this.#mark();
  }

  #allow(path: string, ...versions: readonly Version[]): void {
    const possible = this.#possible.get(path) ?? { versions: [], absent: true };
    this.#possible.set(path, { ...possible, versions: [...possible.versions, ...versions] });
    this.#mark();
  }

  #maybeAbsent(path: string): void {
    const possible = this.#possible.get(path) ?? { versions: [], absent: true };
    this.#possible.set(path, { ...possible, absent: true });
  }

  #mark(): void {
    this.moments.push({
      from: this.#disk.events.length,
      names: new Map(this.#possible),
      moved: [...this.#moved].map(([version, names]) => ({ names: [...names], version })),
    });
  }

  #size(): number {
    const most = this.#random() < 0.3 ? 60_000 : 6000;
    return Math.floor((this.#random() * most) / MARK_BYTES) * MARK_BYTES;
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.#random() * values.length)] as Value;
  }

  async #with<Result>(path: string, action: (vnode: Vnode) => Promise<Result> | Result): Promise<Result> {
    const vnode = await resolvePath(this.#mount, this.#mount.root, path);
    try {
      return await action(vnode);
    } finally {
      await this.#mount.release(vnode);
    }
  }

  async #at<Result>(
    path: string,
    action: (directory: Vnode, name: string) => Promise<Result>,
  ): Promise<Result> {
    const { directory, name } = await resolveParent(this.#mount, this.#mount.root, path);
    try {
      return await action(directory, name);
    } finally {
      await this.#mount.release(directory);
    }
  }
}

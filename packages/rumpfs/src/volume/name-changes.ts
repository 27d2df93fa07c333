import { FsError } from '../errors.ts';
import type { NewNode } from '../vnode/attributes.ts';
import type { EntryName } from '../vnode/names.ts';
import type { OpenInode } from './open-inode.ts';
import type { VolumeInode } from './volume-inode.ts';

/**
 * The links of an empty directory: its name and its `.`. Each directory in it adds one, its `..`.
 */
export const DIRECTORY_LINKS_MIN = 2;

const MODE_OF_TYPE = { file: 0x8000, directory: 0x4000, symlink: 0xa000 } as const;

/** The node to make. */
export interface NewInode {
  readonly name: EntryName;
  readonly type: keyof typeof MODE_OF_TYPE;
  readonly what: NewNode;
}

/** A move of a node to another name; `replaced` is the node that has that name so far. */
export interface Move<Open> {
  readonly source: Open;
  readonly from: Open;
  readonly fromName: EntryName;
  readonly to: Open;
  readonly toName: EntryName;
  readonly replaced: Open | undefined;
  readonly replacedInUse: boolean;
}

/**
 * How names come, go and move on a file system with inodes. The order of the steps is such that at
 * no moment a name leads to an unfinished node or to one without a link for it. What a format does
 * in its own way is abstract.
 */
export abstract class NameChanges<
  Inode extends VolumeInode,
  Place,
  Open extends OpenInode<Inode, Place> = OpenInode<Inode, Place>,
> {
  /** Writes an inode. */
  protected abstract store(open: Open): Promise<void>;
  /** Throws `NotPermitted` for a file that is marked as immutable or append-only. */
  protected abstract requireMutable(inode: Inode, appending?: boolean): void;
  /** Throws `TooManyLinks` where one more is not allowed. */
  protected abstract requireLinkLeft(open: Open): void;
  /** Throws `TooManyLinks` where a directory may not have one more directory in it. */
  abstract requireRoomForDirectory(open: Open): void;
  /** Notes that a directory has one more directory in it. The caller stores the inode. */
  protected abstract addChildDirectory(open: Open): void;
  /** Notes that a directory has lost one of the directories in it. The caller stores the inode. */
  protected abstract dropChildDirectory(open: Open): void;
  /** Stores an inode that has lost its last name, and which somebody may have open. */
  protected abstract storeUnnamed(open: Open, inUse: boolean): Promise<void>;
  /** Takes a free inode, filled with what the format wants to have in a new one. */
  protected abstract allocate(directory: Open, isDirectory: boolean, nowMs: number): Promise<Inode>;
  /** Writes a new inode, and with the second call what has changed in it since. */
  protected abstract storeNew(directory: Open, inode: Inode): Promise<void>;
  protected abstract storeFilled(directory: Open, inode: Inode): Promise<void>;
  /** Frees a new inode that gets no name. */
  protected abstract destroyNew(directory: Open, inode: Inode, nowMs: number): Promise<void>;

  /**
   * Makes a node in a directory: first room for its name, then its inode, which `fill` completes,
   * and the name last. So on the device no name leads to an unfinished node.
   */
  async create(
    directory: Open,
    { name, type, what }: NewInode,
    nowMs: number,
    fill: (inode: Inode) => Promise<void>,
  ): Promise<Inode> {
    this.requireMutable(directory.inode, true);
    await directory.directory.moveOut();
    const place = await directory.directory.makeRoom(name.bytes);
    const inode = await this.allocate(directory, type === 'directory', nowMs);
    inode.mode = MODE_OF_TYPE[type] | (what.permissions & 0o7777);
    inode.uid = what.uid;
    inode.gid = what.gid;
    inode.linkCount = 1;
    inode.accessedMs = nowMs;
    inode.modifiedMs = nowMs;
    inode.changedMs = nowMs;
    try {
      await this.storeNew(directory, inode);
      await fill(inode);
      await this.storeFilled(directory, inode);
      await directory.directory.insert(place, name.bytes, inode.id, type);
      // What moves into a new directory needs the name of that, too.
      if (type === 'directory') await this.#named(inode, directory, place);
    } catch (error) {
      inode.linkCount = 0;
      await this.destroyNew(directory, inode, nowMs);
      throw error;
    }
    if (type === 'directory') this.addChildDirectory(directory);
    await this.#touch(directory, nowMs);
    return inode;
  }

  /** Gives a node one more name. */
  async link(directory: Open, name: EntryName, target: Open, nowMs: number): Promise<void> {
    const { inode } = target;
    this.requireLinkLeft(target);
    this.requireMutable(inode);
    this.requireMutable(directory.inode, true);
    await directory.directory.moveOut();
    const place = await directory.directory.makeRoom(name.bytes);
    await this.#changeLinks(target, 1, nowMs);
    try {
      await directory.directory.insert(place, name.bytes, inode.id, inode.type);
      await this.#named(inode, directory, place);
    } catch (error) {
      await this.#changeLinks(target, -1, nowMs);
      throw error;
    }
    await this.#touch(directory, nowMs);
  }

  /** Takes a name from anything but a directory; `inUse` says that somebody has it open. */
  async unlink(directory: Open, name: EntryName, target: Open, inUse: boolean, nowMs: number): Promise<void> {
    this.requireMutable(directory.inode);
    this.requireMutable(target.inode);
    await directory.directory.moveOut();
    await this.#removeName(directory, await this.#placeOf(directory, name, target.inode), name, target.inode);
    await this.#dropLinks(target, 1, inUse, nowMs);
    await this.#touch(directory, nowMs);
  }

  /** Takes the name from an empty directory. */
  async unlinkDirectory(
    directory: Open,
    name: EntryName,
    target: Open,
    inUse: boolean,
    nowMs: number,
  ): Promise<void> {
    this.requireMutable(directory.inode);
    this.requireMutable(target.inode);
    await requireEmpty(target, name);
    await directory.directory.moveOut();
    await this.#removeName(directory, await this.#placeOf(directory, name, target.inode), name, target.inode);
    await this.#dropLinks(target, target.inode.linkCount, inUse, nowMs);
    this.dropChildDirectory(directory);
    await this.#touch(directory, nowMs);
  }

  /**
   * Moves a node. The caller has checked the types, and that a directory does not move below
   * itself.
   */
  async rename(move: Move<Open>, nowMs: number): Promise<void> {
    const { source, from, to, replaced } = move;
    const changesParent = source.inode.type === 'directory' && to.inode !== from.inode;
    this.requireMutable(from.inode);
    this.requireMutable(source.inode);
    this.requireMutable(to.inode, replaced === undefined);
    if (changesParent && replaced === undefined) this.requireRoomForDirectory(to);
    if (replaced?.inode.type === 'directory') await requireEmpty(replaced, move.toName);
    await from.directory.moveOut();
    await to.directory.moveOut();
    if (changesParent) await source.directory.moveOut();
    const place = await this.#placeOf(from, move.fromName, source.inode);
    await this.#enterNewName(move, nowMs);
    await this.#removeName(from, place, move.fromName, source.inode);
    await this.#changeLinks(source, -1, nowMs);
    if (changesParent) {
      await source.directory.setParent(to.inode.id);
      this.dropChildDirectory(from);
      this.addChildDirectory(to);
    }
    if (replaced !== undefined) {
      const directory = replaced.inode.type === 'directory';
      await this.#dropLinks(replaced, directory ? replaced.inode.linkCount : 1, move.replacedInUse, nowMs);
      if (directory) this.dropChildDirectory(to);
    }
    await this.#touch(from, nowMs);
    await this.#touch(to, nowMs);
  }

  /**
   * Enters the new name first, with one link more, so that a crash at no moment leaves a name
   * without its link.
   */
  async #enterNewName(move: Move<Open>, nowMs: number): Promise<void> {
    const { source, to, toName, replaced } = move;
    const { id, type } = source.inode;
    const place =
      replaced === undefined
        ? await to.directory.makeRoom(toName.bytes)
        : await this.#placeOf(to, toName, replaced.inode);
    await this.#changeLinks(source, 1, nowMs);
    try {
      if (replaced === undefined) await to.directory.insert(place, toName.bytes, id, type);
      else await to.directory.setTarget(place, id, type);
      await this.#named(source.inode, to, place);
    } catch (error) {
      await this.#changeLinks(source, -1, nowMs);
      throw error;
    }
  }

  /** Notes where the newest name of an inode is. */
  async #named(inode: Inode, { inode: within, directory, parts }: Open, place: Place): Promise<void> {
    const { cache, recentNames } = parts.volume;
    if (cache.log !== undefined) return;
    if (recentNames.full) await recentNames.settle(() => cache.flushDurably());
    recentNames.note(inode.id, await directory.blockOf(place), within.id);
  }

  /**
   * Takes a name of an inode out. The newest of its other names is brought to the device before
   * that, with those of all directories that lead there.
   */
  async #removeName(directory: Open, place: Place, name: EntryName, inode: Inode): Promise<void> {
    const { cache, recentNames } = directory.parts.volume;
    const block = await directory.directory.blockOf(place);
    for (const before of recentNames.blocksOf(inode.id)) {
      if (cache.orderNames(before, block)) continue;
      await recentNames.settle(() => cache.flushDurably());
      break;
    }
    await directory.directory.remove(place, name.bytes);
  }

  /**
   * The place of the name. It must lead to that inode, because the lock has been held since the
   * name was looked up.
   */
  async #placeOf(directory: Open, name: EntryName, inode: Inode): Promise<Place> {
    const place = await directory.directory.find(name.bytes);
    if (place !== undefined && (await directory.directory.targetAt(place)) === inode.id) return place;
    throw directory.parts.volume.corrupt(`${directory.inode.name}: the entry of inode ${inode.id} is lost`);
  }

  async #changeLinks(open: Open, change: number, nowMs: number): Promise<void> {
    open.inode.linkCount += change;
    open.inode.changedMs = nowMs;
    await this.store(open);
  }

  /** Notes that a node has lost names. A node without names lives on while it is in use. */
  async #dropLinks(open: Open, count: number, inUse: boolean, nowMs: number): Promise<void> {
    const { inode } = open;
    inode.linkCount = Math.max(0, inode.linkCount - count);
    inode.changedMs = nowMs;
    if (inode.linkCount > 0) await this.store(open);
    else await this.storeUnnamed(open, inUse);
  }

  /** Notes that the directory itself was changed. */
  async #touch(open: Open, nowMs: number): Promise<void> {
    open.inode.modifiedMs = nowMs;
    open.inode.changedMs = nowMs;
    await this.store(open);
  }
}

async function requireEmpty<Place>(directory: OpenInode<VolumeInode, Place>, name: EntryName): Promise<void> {
  if (await directory.directory.isEmpty()) return;
  throw new FsError('NotEmpty', `"${name.text}" is not empty`);
}

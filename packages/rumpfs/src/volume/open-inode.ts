import type { BufferCache } from '../buffer/buffer-cache.ts';
import type { FsError } from '../errors.ts';
import type { NodeType } from '../vnode/attributes.ts';
import type { Departures } from './departures.ts';
import type { RecentNames } from './recent-names.ts';
import type { VolumeInode } from './volume-inode.ts';

/** A mounted volume as the operations on its inodes see it. */
export interface InodeVolume<Inode extends VolumeInode> {
  readonly cache: BufferCache;
  readonly departures: Departures<Inode>;
  readonly recentNames: RecentNames;
  /** Carries out an operation that modifies the file system. */
  change<Result>(action: () => Promise<Result>): Promise<Result>;
  /** The error for a structure that contradicts the format. */
  corrupt(what: string): FsError;
}

/** An entry as a directory stores it. The type is missing where entries do not contain it. */
export interface RawEntry {
  readonly id: number;
  readonly name: string;
  readonly type: NodeType | undefined;
}

/** The entries of a directory; a place is where one of them is. */
export interface InodeDirectory<Place> {
  find(name: Uint8Array): Promise<Place | undefined>;
  /** The inode number at a place. */
  targetAt(place: Place): Promise<number>;
  /** The block of the buffer cache that holds a place. */
  blockOf(place: Place): Promise<number>;
  list(
    cursor: number,
    entriesMax: number,
  ): Promise<{ readonly entries: readonly RawEntry[]; readonly nextCursor: number | undefined }>;
  isEmpty(): Promise<boolean>;
  parent(): Promise<number>;
  /** Makes it ready to be changed; undefined where it is. */
  moveOut(): Promise<void> | undefined;
  makeRoom(name: Uint8Array): Promise<Place>;
  insert(place: Place, name: Uint8Array, id: number, type: NodeType): Promise<void>;
  remove(place: Place, name: Uint8Array): Promise<void>;
  setTarget(place: Place, id: number, type: NodeType): Promise<void>;
  setParent(id: number): Promise<void>;
  dropIndex(): void;
}

/** An inode in use, with the objects that work on it. `directory` is meant for directories only. */
export interface OpenInode<Inode extends VolumeInode, Place> {
  readonly parts: { readonly volume: InodeVolume<Inode> };
  readonly inode: Inode;
  readonly directory: InodeDirectory<Place>;
}

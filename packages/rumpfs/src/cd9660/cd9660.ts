import { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { BlockIo, Hypercalls } from '../hypercall/hypercalls.ts';
import { IndexStore } from '../index/index-store.ts';
import type { FileSystemStatistics } from '../vnode/attributes.ts';
import type { FileSystem, FileSystemNode } from '../vnode/file-system.ts';
import type { MountOptions } from '../vnode/mount-options.ts';
import { CdNode } from './cd-node.ts';
import { type Descriptor, lastSession, readDescriptors } from './descriptors.ts';
import { Disc, type NameKind, SECTOR_BYTES } from './disc.ts';
import { dotRecords } from './entries.ts';

/** Directory indexes take this part of the memory budget, buffers the rest. */
const INDEX_PART = 8;
/** The most bytes of a name: 255 characters of three. */
const NAME_BYTES_MAX = 765;

/** A mounted disc. */
class Cd9660 implements FileSystem {
  readonly type = 'cd9660';
  readonly writeable = false;
  readonly nameBytesMax = NAME_BYTES_MAX;
  readonly rootId: number;
  readonly #disc: Disc;
  readonly #descriptor: Descriptor;

  constructor(disc: Disc, descriptor: Descriptor, rootId: number) {
    this.#disc = disc;
    this.#descriptor = descriptor;
    this.rootId = rootId;
  }

  /** Numbers of directories are even: see `CdEntry`. */
  load(id: number): Promise<FileSystemNode> {
    return id % 2 === 0 ? CdNode.directory(this.#disc, id) : CdNode.file(this.#disc, id - 1);
  }

  statistics(): FileSystemStatistics {
    return {
      type: this.type,
      label: this.#descriptor.label,
      blockSizeBytes: this.#descriptor.blockBytes,
      blocks: this.#descriptor.blocks,
      blocksFree: 0,
      nodes: 0,
      nodesFree: 0,
      nameBytesMax: NAME_BYTES_MAX,
    };
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  unmount(): Promise<void> {
    return Promise.resolve();
  }
}

/** Whether the device looks like a disc. */
export async function probeCd9660(bio: BlockIo): Promise<boolean> {
  try {
    return (await readDescriptors(bio, 0)).length > 0;
  } catch (error) {
    if (error instanceof FsError && error.code === 'Corrupt') return true;
    throw error;
  }
}

/**
 * Mounts a disc, always read-only: its last session, with the names of Rock Ridge, else Joliet,
 * else ISO 9660:1999, else those of 1988 in small letters. Rejects with `NoFileSystem`,
 * `NotSupported` for sectors of more than 2048 bytes, or `Corrupt`.
 */
export async function mountCd9660(hypercalls: Hypercalls, options: MountOptions): Promise<FileSystem> {
  const { bio } = hypercalls;
  if (bio.sectorSizeBytes > SECTOR_BYTES) {
    throw new FsError('NotSupported', `cd9660: a disc on sectors of ${bio.sectorSizeBytes} bytes`);
  }
  const start = await lastSession(bio);
  const descriptors = await readDescriptors(bio, start);
  const primary = descriptors.find(({ kind }) => kind === 'primary') ?? descriptors[0];
  if (primary === undefined) throw new FsError('NoFileSystem', 'cd9660: no volume descriptor');
  if (options.writeable) hypercalls.console('cd9660: mounted read-only, as every disc');
  const indexBytes = Math.floor(hypercalls.memoryBytes / INDEX_PART);
  const cache = new BufferCache(hypercalls, SECTOR_BYTES, hypercalls.memoryBytes - indexBytes);
  const indexes = new IndexStore(indexBytes, 0);
  const open = (blockBytes: number, names: NameKind, skipBytes = 0): Disc =>
    new Disc(hypercalls, cache, indexes, { blockBytes, names, skipBytes });

  const skipBytes = await rockRidgeSkip(open(primary.blockBytes, 'rock-ridge'), primary);
  if (skipBytes !== undefined) return mounted(open(primary.blockBytes, 'rock-ridge', skipBytes), primary);
  const joliet = descriptors.find(({ kind }) => kind === 'joliet');
  if (joliet !== undefined) return mounted(open(joliet.blockBytes, 'joliet'), joliet);
  const enhanced = descriptors.find(({ kind }) => kind === 'enhanced');
  if (enhanced !== undefined) return mounted(open(enhanced.blockBytes, 'enhanced'), enhanced);
  return mounted(open(primary.blockBytes, 'plain'), primary);
}

function mounted(disc: Disc, descriptor: Descriptor): FileSystem {
  return new Cd9660(disc, descriptor, rootOf(descriptor));
}

/** The byte where the root directory begins. */
function rootOf({ rootRecord, blockBytes }: Descriptor): number {
  const view = new DataView(rootRecord.buffer, rootRecord.byteOffset);
  return (view.getUint32(2, true) + view.getUint8(1)) * blockBytes;
}

/** The bytes that Rock Ridge says to skip in records; undefined where there is no Rock Ridge. */
async function rockRidgeSkip(disc: Disc, descriptor: Descriptor): Promise<number | undefined> {
  try {
    const { self } = await dotRecords(disc, rootOf(descriptor));
    return self.use.skipBytes;
  } catch (error) {
    // A root directory that is wrong is reported when it is used.
    if (error instanceof FsError && error.code === 'Corrupt') return undefined;
    throw error;
  }
}

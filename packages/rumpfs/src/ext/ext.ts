import { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { BlockIo, Hypercalls } from '../hypercall/hypercalls.ts';
import { readBytes } from '../hypercall/read-bytes.ts';
import { IndexStore } from '../index/index-store.ts';
import type { FileSystemStatistics } from '../vnode/attributes.ts';
import type { FileSystem, FileSystemNode } from '../vnode/file-system.ts';
import type { MountOptions } from '../vnode/mount-options.ts';
import { BlockAllocator } from './block-allocator.ts';
import { depart, mendOrphans } from './destroy-inode.ts';
import { NAME_BYTES_MAX } from './directory-record.ts';
import { ExtNode } from './ext-node.ts';
import { featuresAgainstWriting, requireKnownFeatures } from './features.ts';
import { Groups } from './groups.ts';
import { InodeAllocator } from './inode-allocator.ts';
import { loadInode } from './inode-table.ts';
import { COPIES_PART_JOURNALLED, openJournal, recover, type Recovered } from './recovery.ts';
import { Orphans } from './orphans.ts';
import type { Parts } from './parts.ts';
import { ROOT_INODE, STATE_FLAG, Superblock, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from './superblock.ts';
import { Volume } from './volume.ts';

/** Directory indexes take this part of the memory budget, buffers the rest. */
const INDEX_PART = 8;
/** The group descriptors of a large device must not take more of the budget than this part. */
const DESCRIPTORS_PART = 2;

/** A mounted ext2, ext3 or ext4. */
class Ext implements FileSystem {
  readonly type: string;
  readonly rootId = ROOT_INODE;
  readonly nameBytesMax = NAME_BYTES_MAX;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.type = parts.volume.superblock.formatName;
  }

  get writeable(): boolean {
    return this.#parts.volume.writeable;
  }

  async load(id: number): Promise<FileSystemNode> {
    return new ExtNode(this.#parts, await loadInode(this.#parts.volume, id));
  }

  statistics(): FileSystemStatistics {
    const { superblock, groups, departures } = this.#parts.volume;
    const leaving = departures.abandoned(superblock.blockSizeBytes);
    return {
      type: this.type,
      label: superblock.label,
      blockSizeBytes: superblock.blockSizeBytes,
      blocks: superblock.blocksCount,
      blocksFree: groups.freeBlocksTotal * superblock.clusterBlocks + leaving.units,
      nodes: superblock.inodesCount,
      nodesFree: groups.freeInodesTotal + leaving.nodes,
      nameBytesMax: NAME_BYTES_MAX,
    };
  }

  sync(): Promise<void> {
    return this.#parts.volume.sync();
  }

  unmount(): Promise<void> {
    return this.#parts.volume.unmount();
  }
}

/** Whether the device looks like ext2, ext3 or ext4. */
export async function probeExt(bio: BlockIo): Promise<boolean> {
  const bytes = await superblockOf(bio);
  return bytes !== undefined && new DataView(bytes.buffer, bytes.byteOffset).getUint16(56, true) === 0xef53;
}

/**
 * Mounts an ext2, ext3 or ext4. A journal that was not emptied is replayed first, for a read-only
 * mount in memory. Rejects with `NoFileSystem` without a superblock, `NotSupported` for features it
 * does not have, `Corrupt` for sizes that make no sense or are larger than the device.
 */
export async function mountExt(hypercalls: Hypercalls, options: MountOptions): Promise<FileSystem> {
  const writeable = options.writeable && hypercalls.bio.writeable;
  const found = await checkedSuperblock(hypercalls);
  const recovered = await recover(hypercalls, found, { ...options, writeable });
  const superblock = recovered.replayed ? await checkedSuperblock(recovered.hypercalls) : found;
  const volume = await makeVolume(recovered, superblock, options.writeable);
  const random = new Uint8Array(4);
  hypercalls.random(random);
  const indexBytes = Math.floor(hypercalls.memoryBytes / INDEX_PART);
  const parts: Parts = {
    volume,
    blocks: new BlockAllocator(volume),
    inodes: new InodeAllocator(volume),
    orphans: new Orphans(volume),
    indexes: new IndexStore(indexBytes, new DataView(random.buffer).getUint32(0)),
  };
  volume.onDeparture((departure) => depart(parts, departure));
  if (volume.writeable) await mendOrphans(parts, await hypercalls.now());
  return new Ext(parts);
}

async function makeVolume(recovered: Recovered, superblock: Superblock, wanted: boolean): Promise<Volume> {
  const { hypercalls } = recovered;
  const { memoryBytes } = hypercalls;
  const descriptorBytes = Groups.bytesFor(superblock);
  if (descriptorBytes > memoryBytes / DESCRIPTORS_PART) {
    throw new FsError(
      'NoMemory',
      `${superblock.formatName}: the descriptors of ${superblock.groupCount} groups take ${descriptorBytes} bytes`,
    );
  }
  const writeable = mayWrite(recovered, superblock, wanted);
  const bufferBytes = memoryBytes - Math.floor(memoryBytes / INDEX_PART) - descriptorBytes;
  const journalled = writeable && superblock.hasJournal;
  const cache = new BufferCache(
    hypercalls,
    superblock.blockSizeBytes,
    bufferBytes,
    journalled ? { copiesPart: COPIES_PART_JOURNALLED } : {},
  );
  const journalling = journalled ? openJournal(recovered, superblock, cache) : undefined;
  const volume = new Volume(hypercalls, superblock, cache, { writeable, journalling });
  await volume.load();
  return volume;
}

/** Reads the superblock, and checks that a file system with it can be mounted at all. */
async function checkedSuperblock({ bio }: Hypercalls): Promise<Superblock> {
  const bytes = await superblockOf(bio);
  if (bytes === undefined)
    throw new FsError('NoFileSystem', 'ext2: the device is too small for a superblock');
  const superblock = new Superblock(bytes);
  requireKnownFeatures(superblock);
  superblock.check();
  requireDevice(superblock, bio);
  return superblock;
}

async function superblockOf(bio: BlockIo): Promise<Uint8Array | undefined> {
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  if (deviceBytes < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) return undefined;
  return readBytes(bio, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
}

function requireDevice(superblock: Superblock, bio: BlockIo): void {
  const { blocksCount, blockSizeBytes, formatName } = superblock;
  if (blockSizeBytes < bio.sectorSizeBytes) {
    throw new FsError(
      'NotSupported',
      `${formatName}: blocks of ${blockSizeBytes} bytes on sectors of ${bio.sectorSizeBytes} bytes`,
    );
  }
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  if (blocksCount * blockSizeBytes > deviceBytes) {
    throw new FsError(
      'Corrupt',
      `${formatName}: the file system has ${blocksCount} blocks of ${blockSizeBytes} bytes, ` +
        `but the device ends after ${deviceBytes} bytes`,
    );
  }
}

/**
 * Whether the mount will be writeable, with a line for the log where that or the device's state is
 * not as wished.
 */
function mayWrite({ hypercalls, obstacle }: Recovered, superblock: Superblock, wanted: boolean): boolean {
  const name = superblock.formatName;
  if ((superblock.state & STATE_FLAG.valid) === 0) {
    hypercalls.console(`${name}: was not unmounted cleanly, a file system check is recommended`);
  } else if ((superblock.state & STATE_FLAG.errors) !== 0) {
    hypercalls.console(`${name}: has recorded errors, a file system check is recommended`);
  }
  if (!wanted) return false;
  const features = featuresAgainstWriting(superblock);
  const reason =
    obstacle ??
    (features === undefined ? undefined : `of the feature ${features}`) ??
    (hypercalls.bio.writeable ? undefined : 'the device is');
  if (reason !== undefined) hypercalls.console(`${name}: mounted read-only because ${reason}`);
  return reason === undefined;
}

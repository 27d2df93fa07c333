import { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { BlockIo, Hypercalls } from '../hypercall/hypercalls.ts';
import { readBytes } from '../hypercall/read-bytes.ts';
import type { FileSystemStatistics } from '../vnode/attributes.ts';
import type { FileSystem, FileSystemNode } from '../vnode/file-system.ts';
import { BlockAllocator } from './block-allocator.ts';
import { depart, mendOrphans } from './destroy-inode.ts';
import { NAME_BYTES_MAX } from './directory-record.ts';
import { Ext2Node } from './ext2-node.ts';
import { featuresAgainstWriting, INCOMPATIBLE_FEATURE, requireKnownFeatures } from './features.ts';
import { IndexStore } from './index-store.ts';
import { loadInode } from './inode-table.ts';
import { InodeAllocator } from './inode-allocator.ts';
import { Orphans } from './orphans.ts';
import type { Parts } from './parts.ts';
import { ROOT_INODE, STATE_FLAG, Superblock, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from './superblock.ts';
import { Volume } from './volume.ts';

/** Directory indexes take this part of the memory budget, buffers the rest. */
const INDEX_PART = 8;

/** A mounted ext2. */
class Ext2 implements FileSystem {
  readonly type = 'ext2';
  readonly rootId = ROOT_INODE;
  readonly nameBytesMax = NAME_BYTES_MAX;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get writeable(): boolean {
    return this.#parts.volume.writeable;
  }

  async load(id: number): Promise<FileSystemNode> {
    return new Ext2Node(this.#parts, await loadInode(this.#parts.volume, id));
  }

  statistics(): FileSystemStatistics {
    const { superblock, groups, departures } = this.#parts.volume;
    const leaving = departures.abandoned(superblock.blockSizeBytes);
    return {
      type: this.type,
      label: superblock.label,
      blockSizeBytes: superblock.blockSizeBytes,
      blocks: superblock.blocksCount,
      blocksFree: groups.freeBlocksTotal + leaving.blocks,
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
export async function probeExt2(bio: BlockIo): Promise<boolean> {
  const bytes = await superblockOf(bio);
  return bytes !== undefined && new DataView(bytes.buffer, bytes.byteOffset).getUint16(56, true) === 0xef53;
}

/**
 * Mounts an ext2. Rejects with `NoFileSystem` without a superblock, `NotSupported` for features it
 * does not have, `Corrupt` for sizes that make no sense or are larger than the device.
 */
export async function mountExt2(hypercalls: Hypercalls, writeable: boolean): Promise<FileSystem> {
  const { bio } = hypercalls;
  const bytes = await superblockOf(bio);
  if (bytes === undefined)
    throw new FsError('NoFileSystem', 'ext2: the device is too small for a superblock');
  const superblock = new Superblock(bytes);
  requireKnownFeatures(superblock);
  superblock.check();
  requireDevice(superblock, bio);
  const indexBytes = Math.floor(hypercalls.memoryBytes / INDEX_PART);
  const cache = new BufferCache(hypercalls, superblock.blockSizeBytes, hypercalls.memoryBytes - indexBytes);
  const volume = new Volume(hypercalls, superblock, cache, {
    writeable: mayWrite(hypercalls, superblock, writeable),
    entriesHaveTypes: (superblock.incompatible & INCOMPATIBLE_FEATURE.fileType) !== 0,
  });
  await volume.load();
  const random = new Uint8Array(4);
  hypercalls.random(random);
  const parts: Parts = {
    volume,
    blocks: new BlockAllocator(volume),
    inodes: new InodeAllocator(volume),
    orphans: new Orphans(volume),
    indexes: new IndexStore(indexBytes, new DataView(random.buffer).getUint32(0)),
  };
  volume.onDeparture((departure) => depart(parts, departure));
  if (volume.writeable) await mendOrphans(parts, await hypercalls.now());
  return new Ext2(parts);
}

async function superblockOf(bio: BlockIo): Promise<Uint8Array | undefined> {
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  if (deviceBytes < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) return undefined;
  return readBytes(bio, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
}

function requireDevice(superblock: Superblock, bio: BlockIo): void {
  const { blocksCount, blockSizeBytes } = superblock;
  if (blockSizeBytes < bio.sectorSizeBytes) {
    throw new FsError(
      'NotSupported',
      `ext2: blocks of ${blockSizeBytes} bytes on sectors of ${bio.sectorSizeBytes} bytes`,
    );
  }
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  if (blocksCount * blockSizeBytes > deviceBytes) {
    throw new FsError(
      'Corrupt',
      `ext2: the file system has ${blocksCount} blocks of ${blockSizeBytes} bytes, ` +
        `but the device ends after ${deviceBytes} bytes`,
    );
  }
}

/**
 * Whether the mount will be writeable, with a line for the log where that or the device's state is
 * not as wished.
 */
function mayWrite(hypercalls: Hypercalls, superblock: Superblock, wanted: boolean): boolean {
  if ((superblock.state & STATE_FLAG.valid) === 0) {
    hypercalls.console('ext2: was not unmounted cleanly, a file system check is recommended');
  } else if ((superblock.state & STATE_FLAG.errors) !== 0) {
    hypercalls.console('ext2: has recorded errors, a file system check is recommended');
  }
  if (!wanted) return false;
  const features = featuresAgainstWriting(superblock);
  if (features !== undefined)
    hypercalls.console(`ext2: mounted read-only because of the feature ${features}`);
  else if (!hypercalls.bio.writeable) hypercalls.console('ext2: mounted read-only because the device is');
  return features === undefined && hypercalls.bio.writeable;
}

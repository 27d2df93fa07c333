import { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { BlockIo, Hypercalls } from '../hypercall/hypercalls.ts';
import { readBytes } from '../hypercall/read-bytes.ts';
import { IndexStore } from '../index/index-store.ts';
import type { FileSystemStatistics } from '../vnode/attributes.ts';
import type { FileSystem, FileSystemNode } from '../vnode/file-system.ts';
import type { MountOptions } from '../vnode/mount-options.ts';
import { depart, freeUnnamed } from './destroy-inode.ts';
import { NAME_BYTES_MAX } from './directory-record.ts';
import { FfsNode } from './ffs-node.ts';
import { FragmentAllocator } from './fragment-allocator.ts';
import { Groups } from './groups.ts';
import { InodeAllocator } from './inode-allocator.ts';
import { loadInode } from './inode-table.ts';
import { COPIES_PART_JOURNALLED } from './journalling.ts';
import type { Parts } from './parts.ts';
import { type Recovered, recover } from './recovery.ts';
import {
  FLAG,
  recogniseSuperblock,
  ROOT_INODE,
  type Superblock,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSETS,
} from './superblock.ts';
import { Volume } from './volume.ts';

/** Directory indexes take this part of the memory budget, groups another one, buffers the rest. */
const INDEX_PART = 8;
const GROUPS_PART = 8;
/** The counts of the groups of a large device must not take more of the budget than this part. */
const SUMMARY_PART = 2;

/** A mounted FFS. */
class Ffs implements FileSystem {
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
    return new FfsNode(this.#parts, await loadInode(this.#parts.volume, id));
  }

  statistics(): FileSystemStatistics {
    const { superblock, groups, departures } = this.#parts.volume;
    const { freeBlocks, freeFragments, freeInodes } = groups.totals;
    const leaving = departures.abandoned(superblock.fragmentSizeBytes);
    return {
      type: this.type,
      label: superblock.label,
      blockSizeBytes: superblock.fragmentSizeBytes,
      blocks: superblock.dataFragments,
      blocksFree: freeBlocks * superblock.fragmentsPerBlock + freeFragments + leaving.units,
      nodes: superblock.inodes,
      nodesFree: freeInodes + leaving.nodes,
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

/** Whether the device looks like an FFS. */
export async function probeFfs(bio: BlockIo): Promise<boolean> {
  return (await findSuperblock(bio)) !== undefined;
}

/**
 * Mounts an FFS. Rejects with `NoFileSystem` without a superblock, `Corrupt` for sizes that make no
 * sense or are larger than the device, `NotSupported` for fragments that are smaller than a sector.
 */
export async function mountFfs(hypercalls: Hypercalls, options: MountOptions): Promise<FileSystem> {
  const found = await checkedSuperblock(hypercalls.bio);
  const recovered = await recover(hypercalls, found, options);
  const superblock = recovered.replayed ? await checkedSuperblock(recovered.hypercalls.bio) : found;
  const volume = await makeVolume(recovered, superblock, options.writeable);
  const random = new Uint8Array(4);
  hypercalls.random(random);
  const indexBytes = Math.floor(hypercalls.memoryBytes / INDEX_PART);
  const parts: Parts = {
    volume,
    space: new FragmentAllocator(volume),
    inodes: new InodeAllocator(volume),
    indexes: new IndexStore(indexBytes, new DataView(random.buffer).getUint32(0)),
  };
  volume.onDeparture((departure) => depart(parts, departure));
  if (volume.writeable && recovered.unnamed.length > 0) await freeUnnamed(parts, recovered.unnamed);
  return new Ffs(parts);
}

async function checkedSuperblock(bio: BlockIo): Promise<Superblock> {
  const superblock = await findSuperblock(bio);
  if (superblock === undefined)
    throw new FsError('NoFileSystem', `ffs: no superblock at ${SUPERBLOCK_OFFSETS.join(', ')} bytes`);
  superblock.check();
  requireDevice(superblock, bio);
  return superblock;
}

async function findSuperblock(bio: BlockIo): Promise<Superblock | undefined> {
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  for (const offset of SUPERBLOCK_OFFSETS) {
    if (offset + SUPERBLOCK_BYTES > deviceBytes) continue;
    const found = recogniseSuperblock(await readBytes(bio, offset, SUPERBLOCK_BYTES), offset);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function makeVolume(recovered: Recovered, superblock: Superblock, wanted: boolean): Promise<Volume> {
  const { hypercalls } = recovered;
  const { memoryBytes } = hypercalls;
  const { formatName, groupCount, fragmentSizeBytes } = superblock;
  const summaryBytes = Groups.summaryBytes(superblock);
  if (summaryBytes > memoryBytes / SUMMARY_PART)
    throw new FsError(
      'NoMemory',
      `${formatName}: the counts of ${groupCount} groups take ${summaryBytes} bytes`,
    );
  const parts = Math.floor(memoryBytes / INDEX_PART) + Math.floor(memoryBytes / GROUPS_PART);
  const writeable = mayWrite(recovered, superblock, wanted);
  const cache = new BufferCache(
    hypercalls,
    fragmentSizeBytes,
    memoryBytes - parts - summaryBytes,
    writeable && recovered.log !== undefined ? { copiesPart: COPIES_PART_JOURNALLED } : {},
  );
  const volume = new Volume(hypercalls, superblock, cache, { writeable, recovered });
  await volume.load();
  return volume;
}

function requireDevice(superblock: Superblock, bio: BlockIo): void {
  const { fragments, fragmentSizeBytes, formatName } = superblock;
  if (fragmentSizeBytes < bio.sectorSizeBytes)
    throw new FsError(
      'NotSupported',
      `${formatName}: fragments of ${fragmentSizeBytes} bytes on sectors of ${bio.sectorSizeBytes} bytes`,
    );
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  if (fragments * fragmentSizeBytes > deviceBytes)
    throw new FsError(
      'Corrupt',
      `${formatName}: the file system has ${fragments} fragments of ${fragmentSizeBytes} bytes, ` +
        `but the device ends after ${deviceBytes} bytes`,
    );
}

/** Whether the mount will be writeable, with a line for the log where it is not as wished. */
function mayWrite(recovered: Recovered, superblock: Superblock, wanted: boolean): boolean {
  const { hypercalls, consistent } = recovered;
  const { formatName } = superblock;
  const doubts = superblock.flags & (FLAG.unclean | FLAG.needsCheck);
  const clean = (superblock.clean !== 0 || consistent) && doubts === 0;
  if (!clean)
    hypercalls.console(`${formatName}: was not unmounted cleanly, a file system check is recommended`);
  if (!wanted) return false;
  const reason = hypercalls.bio.writeable
    ? (recovered.obstacle ?? obstacle(superblock, clean))
    : 'the device is';
  if (reason !== undefined) hypercalls.console(`${formatName}: mounted read-only because ${reason}`);
  return reason === undefined;
}

/** Why an FFS is not written to; undefined where nothing speaks against it. */
function obstacle(superblock: Superblock, clean: boolean): string | undefined {
  const { flags } = superblock;
  if (!clean) return 'it was not unmounted cleanly';
  if (superblock.oldInodes) return 'it has inodes of 4.2BSD';
  if ((flags & FLAG.softUpdateJournal) !== 0) return 'of its journal of soft updates';
  if ((flags & FLAG.gjournal) !== 0) return 'of its journal of gjournal';
  if ((flags & FLAG.log) !== 0 && superblock.logPlace === undefined)
    return 'of its flag 0x100, without a log of WAPBL (access control lists of NFSv4)';
  if ((flags & FLAG.quotaOrHashes) !== 0) return 'of its flag 0x200 (quotas, or check hashes)';
  return superblock.hasSnapshots ? 'it has snapshots' : undefined;
}

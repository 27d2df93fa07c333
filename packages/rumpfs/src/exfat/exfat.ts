import { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import { layOut } from '../fat/layout.ts';
import { directoryOf } from '../fat/directory-of.ts';
import { MountedFat } from '../fat/mounted-fat.ts';
import { TimeZone } from '../fat/time-zone.ts';
import type { BlockIo, Hypercalls } from '../hypercall/hypercalls.ts';
import { IndexStore } from '../index/index-store.ts';
import type { FileSystem } from '../vnode/file-system.ts';
import type { MountOptions } from '../vnode/mount-options.ts';
import { BOOT_SECTOR_BYTES, type BootRegion, hasBootRegion, loadBootRegion } from './boot-region.ts';
import { ExfatNode } from './exfat-node.ts';
import { FatTable } from './fat-table.ts';
import { Nodes } from './nodes.ts';
import { readRootEntries, readStructures } from './root-structures.ts';
import { Volume } from './volume.ts';
import { VolumeFlags } from './volume-flags.ts';

/** Directory indexes take this part of the memory budget, the up-case table another one. */
const INDEX_PART = 8;
const UPCASE_PART = 8;

/** Whether the device has an exFAT. */
export function probeExfat(bio: BlockIo): Promise<boolean> {
  return hasBootRegion(bio);
}

/**
 * Mounts an exFAT. Rejects with `NoFileSystem` without a boot sector, `NotSupported` for another
 * revision, for entries that must not be ignored, or where the device's sectors are too large,
 * `Corrupt` for what makes no sense or is larger than the device.
 */
export async function mountExfat(hypercalls: Hypercalls, options: MountOptions): Promise<FileSystem> {
  const { bio, memoryBytes } = hypercalls;
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  if (deviceBytes < BOOT_SECTOR_BYTES)
    throw new FsError('NoFileSystem', 'exfat: the device has no boot sector');
  const region = await loadBootRegion(bio);
  const { geometry } = region;
  if (geometry.totalBytes > deviceBytes) {
    throw new FsError(
      'Corrupt',
      `exfat: the file system has ${geometry.totalBytes} bytes, but the device ends after ${deviceBytes} bytes`,
    );
  }
  const layout = layOut({ type: 'exfat', rootBytes: 0, ...geometry }, bio);
  const [indexBytes, upcaseBytes] = [
    Math.floor(memoryBytes / INDEX_PART),
    Math.floor(memoryBytes / UPCASE_PART),
  ];
  const random = new Uint8Array(4);
  hypercalls.random(random);
  const cache = new BufferCache(hypercalls, layout.blockBytes, memoryBytes - indexBytes - upcaseBytes, {
    firstSector: layout.baseBytes / bio.sectorSizeBytes,
  });
  const flags = new VolumeFlags(bio, region.flags);
  const second = geometry.fatCount > 1 && flags.secondActive;
  const volume = new Volume({
    hypercalls,
    geometry,
    layout,
    cache,
    fat: new FatTable(geometry, layout, cache, second ? 1 : 0),
    indexes: new IndexStore(indexBytes, new DataView(random.buffer).getUint32(0)),
    zone: new TimeZone(options.zone ?? 'UTC'),
    flags,
  });
  const nodes = new Nodes(volume);
  const root = directoryOf(nodes.root);
  const entries = await readRootEntries(root, second);
  await volume.begun(await readStructures(volume, entries, obstacle(region), upcaseBytes), options.writeable);
  await nodes.root.chain.follow();
  const names = { volume, nodes };
  return new MountedFat(
    'exfat',
    volume,
    entries.label,
    async (id) => new ExfatNode(names, await nodes.load(id)),
  );
}

/** Why an exFAT is not written to; undefined where nothing speaks against it. */
function obstacle({ damage, geometry }: BootRegion): string | undefined {
  if (damage !== undefined) return `of its boot region, whose backup is used: ${damage}`;
  return geometry.fatCount > 1 ? 'it has two FATs (TexFAT)' : undefined;
}

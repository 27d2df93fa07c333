import { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { BlockIo, Hypercalls } from '../hypercall/hypercalls.ts';
import { IndexStore } from '../index/index-store.ts';
import type { FileSystem } from '../vnode/file-system.ts';
import type { MountOptions } from '../vnode/mount-options.ts';
import { BOOT_SECTOR_BYTES, looksLikeFat, readGeometry } from './boot-sector.ts';
import { FreeClusterSector } from './free-cluster-sector.ts';
import { layOut } from '../fat/layout.ts';
import { MsdosNode } from './msdos-node.ts';
import { MountedFat } from '../fat/mounted-fat.ts';
import { Nodes } from './nodes.ts';
import { readReserved } from '../fat/raw-sector.ts';
import { StateByte } from './state-byte.ts';
import { TimeZone } from '../fat/time-zone.ts';
import { Volume } from './volume.ts';

/** Directory indexes take this part of the memory budget, buffers the rest. */
const INDEX_PART = 8;

/** Whether the device looks like a FAT. */
export async function probeMsdos(bio: BlockIo): Promise<boolean> {
  if (bio.sectorCount * bio.sectorSizeBytes < BOOT_SECTOR_BYTES) return false;
  return looksLikeFat(await readReserved(bio, 0));
}

/**
 * Mounts a FAT. Rejects with `NoFileSystem` without a boot sector, `NotSupported` where the
 * device's sectors are too large, `Corrupt` for sizes that make no sense or are larger than the
 * device.
 */
export async function mountMsdos(hypercalls: Hypercalls, options: MountOptions): Promise<FileSystem> {
  const { bio } = hypercalls;
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  if (deviceBytes < BOOT_SECTOR_BYTES)
    throw new FsError('NoFileSystem', 'msdos: the device has no boot sector');
  const bootSector = await readReserved(bio, 0);
  const geometry = readGeometry(bootSector);
  if (geometry.totalBytes > deviceBytes) {
    throw new FsError(
      'Corrupt',
      `msdos: the file system has ${geometry.totalBytes} bytes, but the device ends after ${deviceBytes} bytes`,
    );
  }
  const layout = layOut({ type: 'msdos', ...geometry }, bio);
  const indexBytes = Math.floor(hypercalls.memoryBytes / INDEX_PART);
  const random = new Uint8Array(4);
  hypercalls.random(random);
  const volume = new Volume({
    hypercalls,
    geometry,
    layout,
    cache: new BufferCache(hypercalls, layout.blockBytes, hypercalls.memoryBytes - indexBytes, {
      firstSector: layout.baseBytes / bio.sectorSizeBytes,
    }),
    indexes: new IndexStore(indexBytes, new DataView(random.buffer).getUint32(0)),
    zone: new TimeZone(options.zone ?? 'UTC'),
    state: new StateByte(bio, bootSector, geometry.stateOffset),
    freeSector: await FreeClusterSector.load(bio, geometry.infoStart),
    writeable: mayWrite(hypercalls, options.writeable),
  });
  await volume.load();
  const nodes = new Nodes(volume);
  const label = await nodes.root.directory?.label();
  if (geometry.bits === 32) await nodes.root.chain.follow();
  const names = { volume, nodes };
  return new MountedFat(
    'msdos',
    volume,
    label ?? geometry.label,
    async (id) => new MsdosNode(names, await nodes.load(id)),
  );
}

function mayWrite(hypercalls: Hypercalls, wanted: boolean): boolean {
  if (wanted && !hypercalls.bio.writeable)
    hypercalls.console('msdos: mounted read-only because the device is');
  return wanted && hypercalls.bio.writeable;
}

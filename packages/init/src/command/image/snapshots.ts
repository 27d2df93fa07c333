/** Snapshots of a disk that is not in use, kept in a file as `snapshot_block` keeps them. */
import { existsSync } from 'node:fs';
import { type ByteDevice, DiskDevice, ImageError, type OpenFiles, RawImage } from '@ginit/block/image';
import { isChunkSize, isOriginBlockSize, Snapshots, SnapshotStore } from '@ginit/block/snapshot';
import { makeFile } from './new-file.ts';
import { hostFiles } from './host-files.ts';
import type { ImageResult, SnapshotTask } from './task.ts';

const STORE_BLOCK_BYTES = 512;
const NO_EVENTS = { full: () => {}, dropped: () => {}, usage: () => {} };

/** Does something with the snapshots of a disk. */
export async function snapshotImage(
  task: SnapshotTask,
  nowMs: number,
): Promise<Extract<ImageResult, { command: 'snapshot' }>> {
  await using files = hostFiles();
  const { action, image, name } = task;
  const disk = await files.image(image, action === 'list' ? 'ro' : 'rw');
  if (!existsSync(task.store)) await makeStore(files, task);
  // A store is written when it is opened, to end what a crash has interrupted.
  const store = await SnapshotStore.open(storeDevice(await files.open(task.store, 'rw')));
  const origin = new DiskDevice(disk, store.superblock.originBlockSize);
  const snapshots = await Snapshots.open(origin, store, () => 'fail', NO_EVENTS);
  switch (action) {
    case 'create':
      await snapshots.create(name, nowMs);
      break;
    case 'rollback':
      await snapshots.rollBack(name, store.superblock.rollbackToken + 1);
      break;
    case 'delete':
      await snapshots.delete(name);
      break;
    case 'list':
      break;
  }
  if (disk.writeable) await snapshots.sync();
  await disk.close();
  const { chunkBytes, chunks, superblock } = store;
  return {
    command: 'snapshot',
    action,
    name,
    snapshots: snapshots.list.map(({ id, name: known, createdMs, blockCount }) => ({
      name: known,
      createdMs,
      diskBytes: blockCount * superblock.originBlockSize,
      keptBytes: store.chunksOf(id).size * chunkBytes,
    })),
    totalBytes: chunks.total * chunkBytes,
    usedBytes: chunks.used * chunkBytes,
  };
}

async function makeStore(files: OpenFiles, task: SnapshotTask): Promise<void> {
  const { store, storeBytes, chunkBytes, blockBytes } = task;
  if (task.action !== 'create' || storeBytes === undefined) {
    throw new ImageError('Invalid', `there is no store "${store}"; create makes one with --store-size SIZE`);
  }
  if (!isChunkSize(chunkBytes)) throw new ImageError('Invalid', `chunks cannot have ${chunkBytes} bytes`);
  if (!isOriginBlockSize(blockBytes, chunkBytes)) {
    throw new ImageError('Invalid', `blocks cannot have ${blockBytes} bytes, with chunks of ${chunkBytes}`);
  }
  await makeFile(files, store, false, async (device) => {
    await device.setSize(storeBytes);
    await SnapshotStore.format(storeDevice(device), chunkBytes, blockBytes);
  });
}

function storeDevice(device: ByteDevice): DiskDevice {
  return new DiskDevice(new RawImage(device, true), STORE_BLOCK_BYTES);
}

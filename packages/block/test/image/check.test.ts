/** Checks and repairs of images: how far they go, what they keep of an image, and how they are stopped. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkImage } from '../../src/image/open-image.ts';
import { createQcow2 } from '../../src/image/qcow2/create.ts';
import { HEADER_AT } from '../../src/image/qcow2/header.ts';
import { Qcow2File } from '../../src/image/qcow2/qcow2-file.ts';
import { repairQcow2 } from '../../src/image/qcow2/repair.ts';
import { snapshotTables } from '../../src/image/qcow2/snapshots.ts';
import { SectorSet } from '../../src/image/vmdk/sector-set.ts';
import { HostileDevice } from './hostile-device.ts';
import { MemoryDevice } from './memory-device.ts';

const CLUSTER_BYTES = 512;
/** The clusters whose counts are in one refcount block. */
const PER_BLOCK = 256;

/** An empty image in a file that has clusters for so many refcount blocks, none of them in use. */
async function longImage(blocks: number): Promise<MemoryDevice> {
  const device = new MemoryDevice();
  await createQcow2(device, { sizeBytes: 1024 * 1024, clusterBytes: CLUSTER_BYTES });
  device.sizeNow(blocks * PER_BLOCK * CLUSTER_BYTES);
  return device;
}

test('a check can be stopped at each block while it compares refcounts with uses', async () => {
  const blocks = 100;
  const device = await longImage(blocks);
  // What the walk over the tables tells is less than 1.
  let compared = 0;
  const count = (share: number): void => void (compared += Number(share === 1));
  expect(await checkImage(device, 'qcow2', count)).toMatchObject({ problems: [] });
  expect(compared).toBeGreaterThanOrEqual(blocks);
  const stop = new Error('stopped');
  let left = blocks / 2;
  const checking = checkImage(device, 'qcow2', (share) => {
    if (share === 1 && --left === 0) throw stop;
  });
  await expect(checking).rejects.toBe(stop);
});

test('a repair tells how far it is, and changes nothing if it is stopped', async () => {
  const device = await longImage(4);
  const image = device.content();
  // An L2 table, so that the walk has something to tell.
  const view = new DataView(image.buffer);
  const l1 = Number(view.getBigUint64(HEADER_AT.l1Offset));
  view.setBigUint64(l1, 0x8000_0000_0000_0000n + BigInt(PER_BLOCK * CLUSTER_BYTES));
  const broken = new MemoryDevice(image.slice());
  expect((await checkImage(broken, 'qcow2')).problemCount).toBeGreaterThan(0);
  const stop = new Error('stopped');
  const repairing = repairQcow2(broken, () => {
    throw stop;
  });
  await expect(repairing).rejects.toBe(stop);
  expect(Buffer.compare(broken.content(), image)).toBe(0);
  await repairQcow2(broken);
  expect(await checkImage(broken, 'qcow2')).toMatchObject({ problems: [], leaks: 0 });
});

test('of the names of internal snapshots only the beginnings are read, however long they are', async () => {
  const device = new MemoryDevice();
  await createQcow2(device, { sizeBytes: 1024 * 1024, clusterBytes: CLUSTER_BYTES });
  const count = 1000;
  const nameBytes = 65_528;
  const entryBytes = 40 + nameBytes;
  const snapshotsAt = device.sizeBytes;
  const hostile = new HostileDevice(device.content());
  for (let index = 0; index < count; index++) {
    const entry = new Uint8Array(40 + 300).fill(0x61, 40);
    const view = new DataView(entry.buffer);
    view.setUint16(14, nameBytes);
    await hostile.write(entry, snapshotsAt + index * entryBytes);
  }
  await hostile.setSize(snapshotsAt + count * entryBytes);
  const header = new DataView(new ArrayBuffer(12));
  header.setUint32(0, count);
  header.setBigUint64(4, BigInt(snapshotsAt));
  await hostile.write(new Uint8Array(header.buffer), HEADER_AT.snapshots);
  const file = await Qcow2File.open(hostile);
  hostile.bytes = 0;
  const { tables, bytes } = await snapshotTables(file);
  expect(tables.map(({ name }) => name)).toEqual(Array.from({ length: count }, () => 'a'.repeat(256)));
  expect(bytes).toBe(count * entryBytes);
  expect(hostile.bytes).toBe(count * (40 + 256));
});

test('a set of sectors tells which were there before', () => {
  const sector = fc.oneof(fc.nat(70_000), fc.integer({ min: 2 ** 32 - 70_000, max: 2 ** 32 - 1 }));
  fc.assert(
    fc.property(fc.array(sector, { maxLength: 200 }), (sectors) => {
      const set = new SectorSet();
      const known = new Set<number>();
      for (const one of sectors) {
        expect(set.add(one)).toBe(!known.has(one));
        known.add(one);
      }
      expect(set.size).toBe(known.size);
    }),
  );
});

test('a set of sectors holds more than a Set can', () => {
  const set = new SectorSet();
  const count = 2 ** 24 + 2;
  let added = 0;
  for (let sector = 0; sector < count; sector++) if (set.add(sector)) added++;
  expect(added).toBe(count);
  expect(set.size).toBe(count);
  expect(set.add(count - 1)).toBe(false);
});

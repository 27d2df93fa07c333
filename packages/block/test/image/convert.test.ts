/** Disks that are copied from one image to another, and images that are made small. */
import { describe, expect, test } from 'vitest';
import { copyDisk, packDisk } from '../../src/image/convert.ts';
import { checkQcow2 } from '../../src/image/qcow2/check.ts';
import { compactQcow2 } from '../../src/image/qcow2/compact.ts';
import { createQcow2 } from '../../src/image/qcow2/create.ts';
import { Qcow2PackedWriter } from '../../src/image/qcow2/packed-writer.ts';
import { Qcow2Image } from '../../src/image/qcow2/qcow2-image.ts';
import { RawImage } from '../../src/image/raw/raw-image.ts';
import { noise, patchwork, wholeDisk } from './disk-content.ts';
import { MemoryDevice } from './memory-device.ts';
import { ImagePlace, QEMU_MISSING } from './qemu.ts';

const MIB = 1024 * 1024;
/** A third of the disk that is compacted. */
const PART = 2 * MIB;
const DISK = patchwork(4 * MIB + 512, 100_000);

async function newQcow2(
  sizeBytes: number,
  clusterBytes = 65_536,
): Promise<{ device: MemoryDevice; image: Qcow2Image }> {
  const device = new MemoryDevice();
  await createQcow2(device, { sizeBytes, clusterBytes });
  return { device, image: await Qcow2Image.open(device, { writeable: true }) };
}

test('a copy holds the same disk, and nothing for its zeros', async () => {
  const { device, image } = await newQcow2(DISK.byteLength);
  const told: number[] = [];
  await copyDisk(new RawImage(new MemoryDevice(DISK), false), image, { progress: (done) => told.push(done) });
  await image.close();
  expect(Buffer.compare(await wholeDisk(image), DISK)).toBe(0);
  expect(told.at(-1)).toBe(DISK.byteLength);
  expect(told).toEqual(told.toSorted((one, other) => one - other));
  expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
});

test('a copy asks once for each extent of the disk, however many pieces it has', async () => {
  const source = new RawImage(new MemoryDevice(DISK), false);
  const asked: number[] = [];
  const extent = source.extent.bind(source);
  source.extent = (position, lengthMax) => {
    asked.push(position);
    return extent(position, lengthMax);
  };
  const copy = new RawImage(new MemoryDevice(new Uint8Array(DISK.byteLength)), true);
  await copyDisk(source, copy);
  expect(Buffer.compare(await wholeDisk(copy), DISK)).toBe(0);
  const { image } = await newQcow2(DISK.byteLength);
  await packDisk(source, new Qcow2PackedWriter(image));
  expect(asked).toEqual([0, 0]);
});

describe.each([512, 4096, 65_536, 2 * MIB])('with clusters of %i bytes', (clusterBytes) => {
  test('a compressed copy holds the same disk, and is smaller', async () => {
    using place = new ImagePlace();
    const { device, image } = await newQcow2(DISK.byteLength, clusterBytes);
    await packDisk(new RawImage(new MemoryDevice(DISK), false), new Qcow2PackedWriter(image));
    expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
    const again = await Qcow2Image.open(device, { writeable: false });
    expect(Buffer.compare(await wholeDisk(again, 2 * MIB), DISK)).toBe(0);
    if (QEMU_MISSING !== undefined) return;
    place.write('packed.qcow2', device.content());
    expect(place.checkByQemu('packed.qcow2', 'qcow2')).toBe('');
    expect(place.compareByQemu('packed.qcow2', 'qcow2', DISK)).toBe('');
  });
});

describe.each([4096, 65_536])('compaction with clusters of %i bytes', (clusterBytes) => {
  test('makes the file as small as what it holds, and keeps the disk', async () => {
    using place = new ImagePlace();
    const sizeBytes = 3 * PART;
    const { device, image } = await newQcow2(sizeBytes, clusterBytes);
    const disk = noise(new Uint8Array(sizeBytes), 1);
    await image.write(disk, 0);
    await image.sync();
    // A third is not needed any more, a third was made zero by the guest, the rest stays.
    await image.discard(0, PART);
    await image.write(new Uint8Array(PART), PART);
    disk.fill(0, 0, 2 * PART);
    await image.close();
    const before = device.sizeBytes;
    const again = await Qcow2Image.open(device, { writeable: true });
    const result = await compactQcow2(again);
    expect(result.zeroClusters).toBe(PART / clusterBytes);
    expect(device.sizeBytes).toBeLessThan(PART + 16 * 65_536);
    expect(device.sizeBytes).toBeLessThan(before);
    expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
    const compacted = await Qcow2Image.open(device, { writeable: false });
    expect(Buffer.compare(await wholeDisk(compacted), disk)).toBe(0);
    if (QEMU_MISSING !== undefined) return;
    place.write('compact.qcow2', device.content());
    expect(place.checkByQemu('compact.qcow2', 'qcow2')).toBe('');
    expect(place.compareByQemu('compact.qcow2', 'qcow2', disk)).toBe('');
  });
});

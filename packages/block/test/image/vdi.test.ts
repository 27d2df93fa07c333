/** VDI images: those of qemu-img are read and written, ours are clean and survive power cuts. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { propertyRuns } from '../../../../test/property-runs.ts';
import { checkVdi } from '../../src/image/vdi/check.ts';
import { createVdi } from '../../src/image/vdi/create.ts';
import { VdiImage } from '../../src/image/vdi/vdi-image.ts';
import { crashPoints, performRecorded } from './crash-run.ts';
import { Random } from '../../src/lib/random.ts';
import { noise, patchwork, wholeDisk } from './disk-content.ts';
import { DiskModel, type DiskOperation, MODEL_SECTOR_BYTES } from './disk-model.ts';
import { batches, diskOperations } from './disk-operations.ts';
import { MemoryDevice } from './memory-device.ts';
import { ImagePlace, QEMU_MISSING } from './qemu.ts';
import { RecordingDevice } from './recording-device.ts';

const MIB = 1024 * 1024;
/** Two blocks and a part of one. */
const SECTORS = 4300;
const UUID = noise(new Uint8Array(16), 4);

async function newImage(sizeBytes = SECTORS * MODEL_SECTOR_BYTES): Promise<MemoryDevice> {
  const device = new MemoryDevice();
  await createVdi(device, { sizeBytes, uuid: UUID });
  return device;
}

test('an image reads as a model after random requests, many at a time, and stays clean', async () => {
  await fc.assert(
    fc.asyncProperty(diskOperations(SECTORS, 3000), async (operations) => {
      const device = await newImage();
      const image = await VdiImage.open(device, { writeable: true });
      const model = new DiskModel(SECTORS);
      for (const batch of batches(operations)) {
        await Promise.all(batch.map((operation) => model.perform(image, operation)));
      }
      await image.close();
      expect(await checkVdi(device)).toMatchObject({ problems: [], leaks: 0 });
      const again = await VdiImage.open(device, { writeable: false });
      model.check(await wholeDisk(again), 0);
    }),
    { numRuns: propertyRuns(3) },
  );
});

const RUN: readonly DiskOperation[] = [
  { kind: 'write', sector: 3, count: 20, value: 1 },
  { kind: 'sync' },
  { kind: 'write', sector: 3000, count: 9, value: 2 },
  { kind: 'write', sector: 2040, count: 20, value: 7 },
  { kind: 'sync' },
  { kind: 'write', sector: 4200, count: 100, value: 3 },
  { kind: 'zero', sector: 5, count: 10 },
  { kind: 'sync' },
  { kind: 'write', sector: 8, count: 2, value: 4 },
  { kind: 'sync' },
];

/** Each state of a run, cut after every event, whole and with sectors missing. */
async function* crashStates(
  base: Uint8Array,
  before: (device: RecordingDevice) => Promise<VdiImage>,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly model: DiskModel; readonly events: number }> {
  const device = new RecordingDevice(base);
  const image = await before(device);
  const opened = device.events.length;
  const points = await performRecorded(image, device, RUN, SECTORS);
  const random = new Random(3, 'kept sectors');
  for (const { events, model } of crashPoints(points, device.events.length)) {
    yield { bytes: await device.after(events), model, events };
    // Every other one is enough: each state is a copy of the whole file.
    if (events > opened && events % 2 === 0)
      yield { bytes: await device.after(events, () => random.once(2)), model, events };
  }
}

async function checkState(bytes: Uint8Array, model: DiskModel): Promise<void> {
  const device = new MemoryDevice(bytes);
  expect(await checkVdi(device)).toMatchObject({ problems: [] });
  const image = await VdiImage.open(device, { writeable: true });
  model.checkAfterCrash(await wholeDisk(image));
  await image.write(new Uint8Array(3000).fill(8), MIB);
  await image.write(new Uint8Array(700).fill(8), 2 * MIB + 4096);
  // The next crash may come before the next sync.
  expect(await checkVdi(new MemoryDevice(device.content()))).toMatchObject({ problems: [] });
  await image.close();
  expect(await checkVdi(device)).toMatchObject({ problems: [], leaks: 0 });
}

test('every write of a run may be the last one before the power goes', async () => {
  const base = (await newImage()).content();
  for await (const { bytes, model } of crashStates(base, (device) =>
    VdiImage.open(device, { writeable: true }),
  )) {
    await checkState(bytes, model);
  }
});

test('a disk grows, also beyond the room for its map, and does not shrink', async () => {
  const device = await newImage(2 * MIB);
  const image = await VdiImage.open(device, { writeable: true });
  const bytes = noise(new Uint8Array(2 * MIB), 8);
  await image.write(bytes, 0);
  for (const sizeBytes of [100 * MIB, 1024 * 1024 * MIB]) {
    await image.resize(sizeBytes);
    await image.write(bytes.subarray(0, 5000), sizeBytes - 5000);
  }
  await expect(image.resize(MIB)).rejects.toThrow('a VDI image cannot be made smaller');
  await image.close();
  expect(await checkVdi(device)).toMatchObject({ problems: [], leaks: 0 });
  const again = await VdiImage.open(device, { writeable: false });
  const back = new Uint8Array(2 * MIB);
  await again.read(back, 0);
  expect(Buffer.compare(back, bytes)).toBe(0);
  await again.read(back.subarray(0, 5000), 100 * MIB - 5000);
  expect(Buffer.compare(back.subarray(0, 5000), bytes.subarray(0, 5000))).toBe(0);
});

describe.skipIf(QEMU_MISSING !== undefined)(`with qemu-img (${QEMU_MISSING ?? 'it is installed'})`, () => {
  test.each([
    ['dynamic', []],
    ['fixed', ['-o', 'static=on']],
  ])('a %s image of qemu-img is read, written and clean', async (_, options) => {
    using place = new ImagePlace();
    const disk = patchwork(5 * MIB + 512, 400_000);
    place.write('disk.raw', disk);
    place.run('qemu-img', ['convert', '-f', 'raw', '-O', 'vdi', ...options, 'disk.raw', 'disk.vdi']);
    const device = new MemoryDevice(place.read('disk.vdi'));
    const image = await VdiImage.open(device, { writeable: true });
    expect(Buffer.compare((await wholeDisk(image)).subarray(0, disk.byteLength), disk)).toBe(0);
    const bytes = noise(new Uint8Array(1_500_000), 2);
    for (const at of [7, 3 * MIB + 100]) {
      await image.write(bytes, at);
      disk.set(bytes, at);
    }
    await image.close();
    place.write('written.vdi', device.content());
    expect(place.checkByQemu('written.vdi', 'vdi')).toBe('');
    expect(place.compareByQemu('written.vdi', 'vdi', disk)).toBe('');
  });

  test('a new image is clean, and holds what was written', async () => {
    using place = new ImagePlace();
    const device = await newImage(8 * MIB);
    place.write('new.vdi', device.content());
    expect(place.checkByQemu('new.vdi', 'vdi')).toBe('');
    const image = await VdiImage.open(device, { writeable: true });
    const disk = new Uint8Array(8 * MIB);
    const bytes = noise(new Uint8Array(1_500_000), 2);
    for (const at of [6 * MIB, 7, 3 * MIB + 100]) {
      await image.write(bytes, at);
      disk.set(bytes, at);
    }
    await image.close();
    place.write('written.vdi', device.content());
    expect(place.checkByQemu('written.vdi', 'vdi')).toBe('');
    expect(place.compareByQemu('written.vdi', 'vdi', disk)).toBe('');
  });

  test('an image of qemu-img is clean in each state of a run, also while it gets room for a second map', {
    timeout: 300_000,
  }, async () => {
    using place = new ImagePlace();
    place.run('qemu-img', ['create', '-f', 'vdi', 'disk.vdi', `${SECTORS * MODEL_SECTOR_BYTES}`]);
    place.run('qemu-io', ['-f', 'vdi', '-c', 'write -z 0 1M', 'disk.vdi']);
    const base = place.read('disk.vdi');
    const open = (device: RecordingDevice): Promise<VdiImage> => VdiImage.open(device, { writeable: true });
    for await (const { bytes, model, events } of crashStates(base, open)) {
      await checkState(bytes.slice(), model);
      // Each look by qemu-img is a process.
      if (events % 5 !== 0) continue;
      place.write('cut.vdi', bytes);
      expect(place.checkByQemu('cut.vdi', 'vdi'), `cut after event ${events}`).toBe('');
    }
  });
});

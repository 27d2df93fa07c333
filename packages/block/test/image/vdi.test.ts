/** VDI images: those of qemu-img are read and written, ours are clean and survive power cuts. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { propertyRuns } from '../../../../test/property-runs.ts';
import { checkVdi } from '../../src/image/vdi/check.ts';
import { createVdi } from '../../src/image/vdi/create.ts';
import { BlockMap } from '../../src/image/vdi/block-map.ts';
import { compactVdi } from '../../src/image/vdi/compact.ts';
import { newVdiSector, parseVdiHeader, VDI_SECTOR_BYTES, vdiMapBytes } from '../../src/image/vdi/header.ts';
import { VdiImage } from '../../src/image/vdi/vdi-image.ts';
import { crashPoints, performRecorded } from './crash-run.ts';
import { Random } from '../../src/lib/random.ts';
import { noise, patchwork, wholeDisk } from './disk-content.ts';
import { DiskModel, type DiskOperation, MODEL_SECTOR_BYTES } from './disk-model.ts';
import { diskOperations, performOverlapping } from './disk-operations.ts';
import { MemoryDevice } from './memory-device.ts';
import { ImagePlace, QEMU_MISSING } from './qemu.ts';
import { RecordingDevice } from './recording-device.ts';

const MIB = 1024 * 1024;
/** Two blocks and a part of one. */
const SECTORS = 4300;
/** A disk for random requests, in blocks of 4 KiB. */
const SMALL_SECTORS = 800;
const SECTORS_PER_SMALL_BLOCK = 8;
const UUID = noise(new Uint8Array(16), 4);

async function newImage(sizeBytes = SECTORS * MODEL_SECTOR_BYTES): Promise<MemoryDevice> {
  const device = new MemoryDevice();
  await createVdi(device, { sizeBytes, uuid: UUID });
  return device;
}

/** An image with many small blocks, so that runs which give many of them a place are short. */
function smallBlocks(sectors: number): MemoryDevice {
  const blocks = sectors / SECTORS_PER_SMALL_BLOCK;
  const mapBytes = vdiMapBytes(blocks);
  const header = {
    isFixed: false,
    mapOffset: VDI_SECTOR_BYTES,
    dataOffset: VDI_SECTOR_BYTES + 2 * mapBytes,
    sizeBytes: sectors * MODEL_SECTOR_BYTES,
    blockBytes: SECTORS_PER_SMALL_BLOCK * MODEL_SECTOR_BYTES,
    blocks,
    allocated: 0,
  };
  const device = new MemoryDevice();
  device.writeNow(newVdiSector(header, UUID), 0);
  device.writeNow(new Uint8Array(mapBytes).fill(0xff), header.mapOffset);
  device.sizeNow(header.dataOffset);
  return device;
}

test('an image reads as a model after random requests, many at a time, and stays clean', async () => {
  await fc.assert(
    fc.asyncProperty(diskOperations(SMALL_SECTORS, 100), fc.nat(2 ** 31 - 1), async (operations, seed) => {
      const random = new Random(seed, 'turns');
      const device = smallBlocks(SMALL_SECTORS);
      device.turns = () => random.below(4);
      const image = await VdiImage.open(device, { writeable: true });
      const model = new DiskModel(SMALL_SECTORS);
      await performOverlapping(operations, (operation) => model.perform(image, operation));
      await image.close();
      expect(await checkVdi(device)).toMatchObject({ problems: [], leaks: 0 });
      const again = await VdiImage.open(device, { writeable: false });
      model.check(await wholeDisk(again), 0);
    }),
    { numRuns: propertyRuns(20) },
  );
});

test('the power may go at each moment of random requests, also while a SYNC meets writes', async () => {
  await fc.assert(
    fc.asyncProperty(diskOperations(SMALL_SECTORS, 60), fc.nat(2 ** 31 - 1), async (operations, seed) => {
      const random = new Random(seed, 'turns');
      const device = new RecordingDevice(smallBlocks(SMALL_SECTORS).content(), () => random.below(4));
      const image = await VdiImage.open(device, { writeable: true });
      const points = await performRecorded(image, device, operations, SMALL_SECTORS);
      for (const { events, model } of crashPoints(points, device.events.length)) {
        const bytes = await device.after(events);
        // QEMU would write over the blocks behind a gap.
        expect(await gapsIn(bytes)).toEqual([]);
        await checkState(bytes, model);
        if (random.once(4)) await checkState(await device.after(events, () => random.once(2)), model);
      }
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
  await image.write(new Uint8Array(3000).fill(8), Math.floor(image.sizeBytes / 2.2));
  await image.write(new Uint8Array(700).fill(8), image.sizeBytes - 800);
  // The next crash may come before the next sync.
  expect(await checkVdi(new MemoryDevice(device.content()))).toMatchObject({ problems: [] });
  await image.close();
  expect(await checkVdi(device)).toMatchObject({ problems: [], leaks: 0 });
}

async function gapsIn(bytes: Uint8Array): Promise<number[]> {
  const map = await BlockMap.read(new MemoryDevice(bytes), bytes.slice(0, 512), parseVdiHeader(bytes));
  expect(map.header.allocated).toBe(map.end);
  return map.gaps();
}

test('a write that fails leaves no gap between blocks, once the image is closed or opened again', async () => {
  const device = smallBlocks(SMALL_SECTORS);
  const image = await VdiImage.open(device, { writeable: true });
  const block = (value: number): Uint8Array => new Uint8Array(4096).fill(value);
  await image.write(block(1), 0);
  let failures = 1;
  device.failWrite = (from) => from[0] === 2 && failures-- > 0;
  const failing = image.write(block(2), 4096);
  const beside = image.write(block(3), 8192);
  await expect(failing).rejects.toMatchObject({ code: 'NoSpace' });
  await beside;
  await image.sync();
  const crashed = device.content();
  expect(await gapsIn(crashed)).toEqual([1]);
  expect(await checkVdi(new MemoryDevice(crashed))).toMatchObject({ problems: [], leaks: 1 });
  await image.close();
  const expected = new Uint8Array(SMALL_SECTORS * MODEL_SECTOR_BYTES).fill(1, 0, 4096).fill(3, 8192, 12_288);
  const opened = new MemoryDevice(crashed);
  await VdiImage.open(opened, { writeable: true });
  for (const mended of [device, opened]) {
    expect(await gapsIn(mended.content())).toEqual([]);
    const disk = await wholeDisk(await VdiImage.open(mended, { writeable: false }));
    expect(Buffer.compare(disk, expected)).toBe(0);
  }
});

test('a compaction that is stopped leaves an image that QEMU may write to, and that is gone on with', async () => {
  const device = smallBlocks(SMALL_SECTORS);
  const image = await VdiImage.open(device, { writeable: true });
  const expected = new Uint8Array(SMALL_SECTORS * MODEL_SECTOR_BYTES).fill(7);
  await image.write(expected, 0);
  await image.writeZeroes(0, 40_960);
  expected.fill(0, 0, 40_960);
  const stop = new Error('stopped');
  const compacting = compactVdi(device, image, (share) => {
    if (share > 0.5) throw stop;
  });
  await expect(compacting).rejects.toBe(stop);
  const stopped = device.content();
  expect((await gapsIn(stopped)).length).toBe(10);
  const again = new MemoryDevice(stopped);
  const reopened = await VdiImage.open(again, { writeable: true });
  expect(Buffer.compare(await wholeDisk(reopened), expected)).toBe(0);
  await reopened.close();
  expect(await gapsIn(again.content())).toEqual([]);
  expect(again.sizeBytes).toBe(device.sizeBytes - 40_960);
});

test('an image that grows gives blocks the places of the new map, not those that were free in the old one', async () => {
  const device = smallBlocks(SMALL_SECTORS);
  const image = await VdiImage.open(device, { writeable: true });
  const block = (value: number): Uint8Array => new Uint8Array(4096).fill(value);
  for (let at = 0; at < 20; at++) await image.write(block(1), at * 4096);
  let failures = 1;
  device.failWrite = (from) => from[0] === 2 && failures-- > 0;
  const failing = image.write(block(2), 20 * 4096);
  await Promise.all([image.write(block(1), 21 * 4096), expect(failing).rejects.toThrow()]);
  await image.resize(8 * MIB);
  for (let at = 30; at < 40; at++) await image.write(block(1), at * 4096);
  await image.close();
  expect(await checkVdi(device)).toMatchObject({ problems: [], leaks: 0 });
  const disk = await wholeDisk(await VdiImage.open(device, { writeable: false }));
  const expected = new Uint8Array(8 * MIB).fill(1, 0, 20 * 4096).fill(1, 21 * 4096, 22 * 4096);
  expect(Buffer.compare(disk, expected.fill(1, 30 * 4096, 40 * 4096))).toBe(0);
});

test('an image that cannot grow for a lack of space is as before', async () => {
  const device = smallBlocks(SMALL_SECTORS);
  const image = await VdiImage.open(device, { writeable: true });
  const expected = new Uint8Array(SMALL_SECTORS * MODEL_SECTOR_BYTES).fill(7, 0, 100_000);
  await image.write(expected.subarray(0, 100_000), 0);
  await image.sync();
  device.sizeMax = device.sizeBytes + 4096;
  await expect(image.resize(8 * MIB)).rejects.toMatchObject({ code: 'NoSpace' });
  device.sizeMax = Infinity;
  expect(Buffer.compare(await wholeDisk(image), expected)).toBe(0);
  await image.write(expected.subarray(0, 5000), 200_000);
  expected.fill(7, 200_000, 205_000);
  await image.close();
  expect(await checkVdi(device)).toMatchObject({ problems: [], leaks: 0 });
  const disk = await wholeDisk(await VdiImage.open(device, { writeable: false }));
  expect(Buffer.compare(disk, expected)).toBe(0);
});

/** An image with room for one map only, and three blocks; the file may end within the last one. */
async function oneMap(fileBytes: number): Promise<{ device: MemoryDevice; disk: Uint8Array }> {
  const blockBytes = 4096;
  const header = {
    isFixed: false,
    mapOffset: VDI_SECTOR_BYTES,
    dataOffset: 2 * VDI_SECTOR_BYTES,
    sizeBytes: SMALL_SECTORS * MODEL_SECTOR_BYTES,
    blockBytes,
    blocks: SMALL_SECTORS / SECTORS_PER_SMALL_BLOCK,
    allocated: 3,
  };
  const device = new MemoryDevice();
  const map = new DataView(new Uint8Array(vdiMapBytes(header.blocks)).fill(0xff).buffer);
  // The first place, which has to make room, is that of block 7.
  for (const [index, block] of [7, 2, 50].entries()) map.setUint32(block * 4, index, true);
  device.writeNow(newVdiSector(header, UUID), 0);
  device.writeNow(new Uint8Array(map.buffer), header.mapOffset);
  device.writeNow(noise(new Uint8Array(fileBytes - header.dataOffset), 6), header.dataOffset);
  const disk = await wholeDisk(await VdiImage.open(device, { writeable: false }));
  return { device, disk };
}

/** A crash now leaves the disk; a block that was just written for the first time is there, or zero. */
async function checkCrashed(device: MemoryDevice, disk: Uint8Array, at: number): Promise<void> {
  const crashed = new MemoryDevice(device.content());
  expect(await checkVdi(crashed)).toMatchObject({ problems: [] });
  const found = await wholeDisk(await VdiImage.open(crashed, { writeable: false }));
  found.fill(0, at, at + 4096);
  expect(Buffer.compare(found, disk)).toBe(0);
}

const WHOLE_BYTES = 2 * VDI_SECTOR_BYTES + 3 * 4096;

test('an image without room for a second map gets it, also if its file ends within a block', async () => {
  const { device, disk } = await oneMap(WHOLE_BYTES);
  await (await VdiImage.open(device, { writeable: true })).close();
  expect(Buffer.compare(await wholeDisk(await VdiImage.open(device, { writeable: false })), disk)).toBe(0);
  const map = new DataView(device.bytes.buffer);
  expect(map.getUint32(344, true)).toBeGreaterThanOrEqual(VDI_SECTOR_BYTES + 2 * vdiMapBytes(100));
  const sole = await oneMap(WHOLE_BYTES);
  // Block 7 alone: its place is the first one, and the last one, too.
  const header = parseVdiHeader(sole.device.content());
  sole.device.writeNow(newVdiSector({ ...header, allocated: 1 }, UUID), 0);
  for (const block of [2, 50]) sole.device.writeNow(new Uint8Array(4).fill(0xff), 512 + block * 4);
  sole.device.sizeNow(2 * VDI_SECTOR_BYTES + 1000);
  const short = await wholeDisk(await VdiImage.open(sole.device, { writeable: false }));
  await (await VdiImage.open(sole.device, { writeable: true })).close();
  const again = await VdiImage.open(sole.device, { writeable: false });
  expect(Buffer.compare(await wholeDisk(again), short)).toBe(0);
});

test('whichever write fails while an image gets room for a second map, the disk is whole and gets it later', async () => {
  for (let failing = 1; ; failing++) {
    const { device, disk } = await oneMap(WHOLE_BYTES);
    let writes = 0;
    device.failWrite = () => ++writes === failing;
    const opening = VdiImage.open(device, { writeable: true });
    const failed = await opening.then(
      () => false,
      () => true,
    );
    if (!failed) {
      // Two maps and two headers, and at least one block that has moved: all of them have failed.
      expect(failing).toBeGreaterThan(5);
      break;
    }
    device.failWrite = () => false;
    expect(await checkVdi(device), `write ${failing}`).toMatchObject({ problems: [] });
    const read = await VdiImage.open(device, { writeable: false });
    expect(Buffer.compare(await wholeDisk(read), disk), `write ${failing}`).toBe(0);
    const image = await VdiImage.open(device, { writeable: true });
    const bytes = new Uint8Array(4096).fill(9);
    await image.write(bytes, 60 * 4096);
    await checkCrashed(device, disk, 60 * 4096);
    disk.set(bytes, 60 * 4096);
    await image.close();
    expect(await checkVdi(device), `write ${failing}`).toMatchObject({ problems: [], leaks: 0 });
    const again = await VdiImage.open(device, { writeable: false });
    expect(Buffer.compare(await wholeDisk(again), disk), `write ${failing}`).toBe(0);
  }
});

test('whichever write fails while an image grows, what was written is whole, and no block overwrites the map', async () => {
  for (let failing = 1; ; failing++) {
    const device = smallBlocks(SMALL_SECTORS);
    const image = await VdiImage.open(device, { writeable: true });
    const disk = new Uint8Array(SMALL_SECTORS * MODEL_SECTOR_BYTES).fill(7, 0, 100_000);
    await image.write(disk.subarray(0, 100_000), 0);
    await image.sync();
    let writes = 0;
    device.failWrite = () => ++writes === failing;
    const failed = await image.resize(8 * MIB).then(
      () => false,
      () => true,
    );
    device.failWrite = () => false;
    if (!failed) {
      expect(failing).toBeGreaterThan(5);
      break;
    }
    // The next block would go to the end, where the map may be; then it is refused.
    const written = await image.write(new Uint8Array(4096).fill(9), 60 * 4096).then(
      () => true,
      () => false,
    );
    await checkCrashed(device, disk, 60 * 4096);
    if (written) disk.fill(9, 60 * 4096, 61 * 4096);
    await image.close().catch(() => {});
    expect(await checkVdi(device), `write ${failing}`).toMatchObject({ problems: [] });
    const again = await VdiImage.open(device, { writeable: true });
    expect(Buffer.compare(await wholeDisk(again), disk), `write ${failing}`).toBe(0);
    await again.resize(8 * MIB);
    await again.close();
    expect(await checkVdi(device), `write ${failing}`).toMatchObject({ problems: [], leaks: 0 });
  }
});

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

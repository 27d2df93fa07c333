/** qcow2 images that are written here: as a model says, and clean in the eyes of qemu-img. */
import { deferred } from '@ginit/core/async';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { propertyRuns } from '../../../../test/property-runs.ts';
import { checkQcow2 } from '../../src/image/qcow2/check.ts';
import { createQcow2, type CreateQcow2Options } from '../../src/image/qcow2/create.ts';
import { ImageError } from '../../src/image/image-error.ts';
import { Qcow2Image } from '../../src/image/qcow2/qcow2-image.ts';
import { RawImage } from '../../src/image/raw/raw-image.ts';
import { Random } from '../../src/lib/random.ts';
import { noise, wholeDisk } from './disk-content.ts';
import { DiskModel, MODEL_SECTOR_BYTES } from './disk-model.ts';
import { diskOperations, performOverlapping } from './disk-operations.ts';
import { MemoryDevice } from './memory-device.ts';
import { ImagePlace, QEMU_MISSING } from './qemu.ts';

const MIB = 1024 * 1024;
const SECTORS = 2000;
const SIZE = SECTORS * MODEL_SECTOR_BYTES;

async function newImage(options: Omit<CreateQcow2Options, 'sizeBytes'>): Promise<MemoryDevice> {
  const device = new MemoryDevice();
  await createQcow2(device, { sizeBytes: SIZE, ...options });
  return device;
}

describe.each<[string, Omit<CreateQcow2Options, 'sizeBytes'>, boolean]>([
  ['with clusters of 512 bytes', { clusterBytes: 512 }, false],
  ['with clusters of 4 KiB', { clusterBytes: 4096 }, false],
  ['with clusters of 64 KiB', {}, false],
  ['of version 2', { clusterBytes: 4096, version: 2 }, false],
  ['over a backing image', { clusterBytes: 4096 }, true],
  ['of version 2 over a backing image', { clusterBytes: 2048, version: 2 }, true],
])('an image %s', (_, options, backed) => {
  test('reads as a model after random requests, many at a time, and stays clean', async () => {
    await fc.assert(
      fc.asyncProperty(diskOperations(SECTORS), fc.nat(2 ** 31 - 1), async (operations, seed) => {
        const device = await newImage(
          backed ? { ...options, backing: { name: 'base', format: 'raw' } } : options,
        );
        // Sectors of the backing image are zero, too, as the model begins: it must be read all the
        // same.
        const backing = backed
          ? new RawImage(new MemoryDevice(new Uint8Array(SIZE - 7 * 512)), false)
          : undefined;
        const random = new Random(seed, 'turns');
        device.turns = () => random.below(4);
        const image = await Qcow2Image.open(device, { writeable: true, backing });
        const model = new DiskModel(SECTORS);
        await performOverlapping(operations, (operation) => model.perform(image, operation));
        model.check(await wholeDisk(image), 0);
        await image.close();
        expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
        const again = await Qcow2Image.open(device, { writeable: false, backing });
        model.check(await wholeDisk(again), 0);
      }),
      { numRuns: propertyRuns(5) },
    );
  });
});

describe.skipIf(QEMU_MISSING !== undefined)(
  `in the eyes of qemu-img (${QEMU_MISSING ?? 'it is installed'})`,
  () => {
    test.each<[string, CreateQcow2Options]>([
      ['with the smallest clusters', { sizeBytes: 6 * MIB, clusterBytes: 512 }],
      ['with default options', { sizeBytes: 5 * MIB + 512 }],
      ['with the largest clusters', { sizeBytes: 12 * MIB, clusterBytes: 2 * MIB }],
      ['of version 2', { sizeBytes: 5 * MIB, version: 2 }],
      ['for zstd', { sizeBytes: 5 * MIB, compression: 'zstd' }],
      ['of a large disk with small clusters', { sizeBytes: 2 * 1024 * MIB, clusterBytes: 512 }],
      ['of a very large disk', { sizeBytes: 64 * 1024 * 1024 * MIB, clusterBytes: 2 * MIB }],
    ])('a new image %s is clean, and after writes holds what was written', async (_, options) => {
      using place = new ImagePlace();
      const device = new MemoryDevice();
      await createQcow2(device, options);
      expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
      const image = await Qcow2Image.open(device, { writeable: true });
      const bytes = noise(new Uint8Array(700_001), 9);
      await image.write(bytes, 1_234_567);
      await image.write(bytes, image.sizeBytes - bytes.byteLength);
      await image.close();
      place.write('written.qcow2', device.content());
      expect(place.checkByQemu('written.qcow2', 'qcow2')).toBe('');
      if (options.sizeBytes > 100 * MIB) return;
      const disk = new Uint8Array(options.sizeBytes);
      disk.set(bytes, 1_234_567);
      disk.set(bytes, disk.byteLength - bytes.byteLength);
      expect(place.compareByQemu('written.qcow2', 'qcow2', disk)).toBe('');
    });

    test.each<[string, string[], string[]]>([
      ['compressed', ['-c'], []],
      ['with snapshots', [], ['snapshot', '-c', 'one', 'disk.qcow2']],
      ['with refcounts of one bit', ['-o', 'refcount_bits=1'], []],
      ['with refcounts of 64 bits', ['-o', 'refcount_bits=64,cluster_size=4k'], []],
      ['with preallocated metadata', ['-o', 'preallocation=metadata'], []],
    ])('an image of qemu-img %s is written, and stays clean', async (_, options, then) => {
      using place = new ImagePlace();
      const disk = noise(new Uint8Array(3 * MIB), 5).fill(7, MIB, 2 * MIB);
      place.write('disk.raw', disk);
      place.run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...options, 'disk.raw', 'disk.qcow2']);
      if (then.length > 0) place.run('qemu-img', then);
      const device = new MemoryDevice(place.read('disk.qcow2'));
      const image = await Qcow2Image.open(device, { writeable: true });
      const bytes = noise(new Uint8Array(200_000), 6);
      for (const at of [100, MIB + 4096, 2 * MIB + 65_536 * 3]) {
        await image.write(bytes, at);
        disk.set(bytes, at);
      }
      await image.writeZeroes(70_000, 500_000);
      disk.fill(0, 70_000, 570_000);
      await image.close();
      place.write('written.qcow2', device.content());
      expect(place.checkByQemu('written.qcow2', 'qcow2')).toBe('');
      expect(place.compareByQemu('written.qcow2', 'qcow2', disk)).toBe('');
      expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
      if (then.length === 0) return;
      place.run('qemu-img', ['snapshot', '-a', 'one', 'written.qcow2']);
      expect(place.compareByQemu('written.qcow2', 'qcow2', place.read('disk.raw'))).toBe('');
    });

    test('an image that was not closed, with lazy refcounts, is counted anew before it is written', async () => {
      using place = new ImagePlace();
      place.run('qemu-img', ['create', '-f', 'qcow2', '-o', 'lazy_refcounts=on', 'disk.qcow2', '8M']);
      // qemu-io ends itself by a signal before it has written the refcounts.
      place.tryRun('qemu-io', [
        '-f',
        'qcow2',
        '-c',
        'write -P 3 0 1M',
        '-c',
        'flush',
        '-c',
        'abort',
        'disk.qcow2',
      ]);
      expect(place.checkByQemu('disk.qcow2', 'qcow2')).not.toBe('');
      const device = new MemoryDevice(place.read('disk.qcow2'));
      const image = await Qcow2Image.open(device, { writeable: true });
      await image.write(new Uint8Array(1000).fill(4), 5 * MIB);
      await image.close();
      place.write('written.qcow2', device.content());
      expect(place.checkByQemu('written.qcow2', 'qcow2')).toBe('');
      const disk = new Uint8Array(8 * MIB).fill(3, 0, MIB).fill(4, 5 * MIB, 5 * MIB + 1000);
      expect(place.compareByQemu('written.qcow2', 'qcow2', disk)).toBe('');
    });
  },
);

test('what a disk discards gives space of the file back, and the end of the file is cut off', async () => {
  const device = await newImage({ clusterBytes: 4096 });
  const image = await Qcow2Image.open(device, { writeable: true });
  await image.write(new Uint8Array(SIZE).fill(1), 0);
  await image.sync();
  const full = device.sizeBytes;
  await image.discard(0, SIZE - 4096);
  await image.sync();
  expect(device.discarded).toBeGreaterThanOrEqual(Math.floor(SIZE / 4096 - 2) * 4096);
  await image.write(new Uint8Array(SIZE / 2).fill(2), 0);
  await image.sync();
  expect(device.sizeBytes).toBeLessThan(full + 65_536);
  await image.discard(0, SIZE);
  await image.close();
  expect(device.sizeBytes).toBeLessThan(full);
  expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
});

test('a device that is full gives an error, and goes on when there is room again', async () => {
  const device = await newImage({ clusterBytes: 4096 });
  const image = await Qcow2Image.open(device, { writeable: true });
  await image.write(new Uint8Array(65_536).fill(1), 0);
  await image.sync();
  device.sizeMax = device.sizeBytes + 16_384;
  await expect(image.write(new Uint8Array(65_536).fill(2), 131_072)).rejects.toMatchObject({
    code: 'NoSpace',
  });
  device.sizeMax = device.sizeBytes;
  await image.write(new Uint8Array(4096).fill(3), 0);
  await image.discard(8192, 4096);
  await image.sync().catch((error: unknown) => expect(error).toMatchObject({ code: 'NoSpace' }));
  device.sizeMax = Infinity;
  await image.write(new Uint8Array(65_536).fill(4), 131_072);
  await image.close();
  expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
  const disk = await wholeDisk(await Qcow2Image.open(device, { writeable: false }));
  expect([disk[0], disk[4096], disk[131_072], disk[131_072 + 65_535]]).toEqual([3, 1, 4, 4]);
});

test('a disk grows and shrinks; what was cut off reads as zeros when it grows again', async () => {
  const device = await newImage({ clusterBytes: 512 });
  const image = await Qcow2Image.open(device, { writeable: true });
  await image.write(new Uint8Array(SIZE).fill(1), 0);
  await image.resize(40 * MIB);
  await image.write(new Uint8Array(1000).fill(2), 40 * MIB - 1000);
  await image.resize(100 * 512);
  await image.resize(SIZE);
  await image.close();
  expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
  const disk = await wholeDisk(await Qcow2Image.open(device, { writeable: false }));
  expect(Buffer.compare(disk, new Uint8Array(SIZE).fill(1, 0, 100 * 512))).toBe(0);
});

/** A device whose next read waits until it is let go. */
class HoldingDevice extends MemoryDevice {
  #held: Promise<void> | undefined;

  /** Holds the next read; the result lets it go. */
  hold(): () => void {
    const { promise, resolve } = deferred<void>();
    this.#held = promise;
    return resolve;
  }

  override async read(into: Uint8Array, position: number): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    await held;
    return super.read(into, position);
  }
}

async function heldImage(): Promise<{ device: HoldingDevice; image: Qcow2Image }> {
  const device = new HoldingDevice();
  await createQcow2(device, { sizeBytes: SIZE, clusterBytes: 4096 });
  return { device, image: await Qcow2Image.open(device, { writeable: true }) };
}

test('clusters that are freed again while an earlier freeing still waits keep what a crash may need', async () => {
  const { device, image } = await heldImage();
  const write = (value: number, at: number): Promise<void> =>
    image.write(new Uint8Array(65_536).fill(value), at);
  await write(1, 0);
  await write(2, 100_000);
  await image.sync();
  const slowRead = (): { read: Promise<void>; end: () => void } => {
    const end = device.hold();
    return { read: image.read(new Uint8Array(512), 102_400), end };
  };
  const first = slowRead();
  await image.writeZeroes(0, 65_536);
  await image.sync();
  const second = slowRead();
  await write(3, 300_000);
  await image.sync();
  first.end();
  await first.read;
  // This takes the clusters of the first write, and gives them up again.
  await write(4, 200_704);
  await image.sync();
  await image.writeZeroes(200_704, 65_536);
  second.end();
  await second.read;
  await write(5, 512_000);
  const crashed = await Qcow2Image.open(new MemoryDevice(device.content()), { writeable: false });
  const disk = await wholeDisk(crashed);
  expect(new Set(disk.subarray(200_704, 266_240))).toEqual(new Set([4]));
  await image.close();
  expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
});

test('space that a request under way has kept is given back by the next SYNC, and at the end', async () => {
  const { device, image } = await heldImage();
  await image.write(new Uint8Array(65_536).fill(1), 0);
  await image.write(new Uint8Array(4096).fill(2), 131_072);
  await image.sync();
  const end = device.hold();
  const read = image.read(new Uint8Array(512), 131_072);
  await image.discard(0, 65_536);
  await image.sync();
  expect(device.discarded).toBe(0);
  end();
  await read;
  await image.sync();
  expect(device.discarded).toBe(65_536);
});

test.each([2, 3] as const)(
  'what is new of a version %i disk over a longer image reads as zeros',
  async (version) => {
    const device = await newImage({ clusterBytes: 4096, version, backing: { name: 'base', format: 'raw' } });
    const backing = new RawImage(new MemoryDevice(new Uint8Array(SIZE + 40_000).fill(6)), false);
    const image = await Qcow2Image.open(device, { writeable: true, backing });
    await image.resize(SIZE + 81_920);
    await image.close();
    expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
    const disk = await wholeDisk(await Qcow2Image.open(device, { writeable: false, backing }));
    expect(Buffer.compare(disk, new Uint8Array(SIZE + 81_920).fill(6, 0, SIZE))).toBe(0);
  },
);

test('a size that is refused changes nothing', async () => {
  const device = await newImage({ clusterBytes: 4096 });
  const image = await Qcow2Image.open(device, { writeable: true });
  await image.write(new Uint8Array(SIZE).fill(1), 0);
  for (const sizeBytes of [100, 0, 5000, 2 ** 60]) {
    await expect(image.resize(sizeBytes)).rejects.toMatchObject({ code: 'Invalid' });
  }
  expect(Buffer.compare(await wholeDisk(image), new Uint8Array(SIZE).fill(1))).toBe(0);
});

test('one large request is carried out in steps, between which what it has freed is free', async () => {
  const sizeBytes = 36 * MIB;
  const device = new MemoryDevice();
  await createQcow2(device, { sizeBytes, clusterBytes: 512 });
  const image = await Qcow2Image.open(device, { writeable: true });
  await image.write(new Uint8Array(sizeBytes).fill(1), 0);
  await image.sync();
  let most = 0;
  const { allocation } = image;
  const map = allocation.map.bind(allocation);
  allocation.map = async (...args) => {
    await map(...args);
    most = Math.max(most, image.file.refcounts.freedClusters);
  };
  await image.discard(0, sizeBytes);
  expect(most).toBeLessThan(70_000);
  await image.close();
});

test('an error of the image behind another one says which one it is of', async () => {
  const device = await newImage({ clusterBytes: 4096, backing: { name: 'base', format: 'raw' } });
  class Broken extends MemoryDevice {
    override async read(): Promise<void> {
      throw new ImageError('InputOutput', 'the host cannot read');
    }
  }
  const backing = new RawImage(new Broken(new Uint8Array(SIZE)), false);
  const image = await Qcow2Image.open(device, { writeable: true, backing });
  await expect(image.read(new Uint8Array(512), 0)).rejects.toThrow(
    'the image "base" behind it: the host cannot read',
  );
});

test('refcount blocks without a free cluster are looked at once, and again when one of theirs is free', async () => {
  const device = await newImage({ clusterBytes: 512 });
  const image = await Qcow2Image.open(device, { writeable: true });
  await image.write(new Uint8Array(SIZE).fill(1), 0);
  await image.sync();
  const { refcounts } = image.file;
  const load = refcounts.cache.load.bind(refcounts.cache);
  let looks = 0;
  await image.discard(5 * 512, 512);
  await image.sync();
  const first = await image.allocation.take(1);
  refcounts.cache.load = (key) => {
    looks++;
    return load(key);
  };
  for (let count = 0; count < 20; count++) {
    refcounts.giveBack(first);
    expect((await image.allocation.take(1)).first).toBe(first.first);
    // The next one is behind all that is full.
    expect((await image.allocation.take(1)).first).toBeGreaterThan(SECTORS);
  }
  expect(looks).toBeLessThan(100);
  refcounts.giveBack(first);
  expect((await image.allocation.take(1)).first).toBe(first.first);
});

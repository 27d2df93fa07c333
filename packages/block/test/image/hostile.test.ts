/**
 * Images that mean harm: whatever stands in headers and tables, an image is refused by an error
 * that says why, or read and written within bounds. `pnpm fuzz hostile.test --runs 20000` tries
 * many, and `--seed` repeats one round.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { propertyRuns } from '../../../../test/property-runs.ts';
import { packDisk } from '../../src/image/convert.ts';
import type { DiskImage, ImageFormat } from '../../src/image/disk-image.ts';
import { compactImage } from '../../src/image/compact-image.ts';
import { ImageError } from '../../src/image/image-error.ts';
import { checkImage, openImage } from '../../src/image/open-image.ts';
import { bitmapTables } from '../../src/image/qcow2/bitmaps.ts';
import { createQcow2 } from '../../src/image/qcow2/create.ts';
import { Qcow2PackedWriter } from '../../src/image/qcow2/packed-writer.ts';
import { Qcow2Image } from '../../src/image/qcow2/qcow2-image.ts';
import { repairQcow2 } from '../../src/image/qcow2/repair.ts';
import { RawImage } from '../../src/image/raw/raw-image.ts';
import { createVdi } from '../../src/image/vdi/create.ts';
import { VdiImage } from '../../src/image/vdi/vdi-image.ts';
import { VmdkStreamWriter } from '../../src/image/vmdk/stream-writer.ts';
import { Random } from '../../src/lib/random.ts';
import { noise, patchwork } from './disk-content.ts';
import { HostileDevice } from './hostile-device.ts';
import { MemoryDevice } from './memory-device.ts';
import { ImagePlace, QEMU_MISSING } from './qemu.ts';

/** All that one image may ask of its device: more than a sound one needs by far. */
const OPERATIONS_MAX = 20_000;
const BYTES_MAX = 2 ** 30;
const EXTENTS_MAX = 300;
const DISK_BYTES = 300 * 1024;

interface Base {
  readonly format: ImageFormat;
  readonly bytes: Uint8Array;
}

async function qcow2(options: { version?: 2 | 3; clusterBytes: number; packed?: boolean }): Promise<Base> {
  const device = new MemoryDevice();
  await createQcow2(device, { sizeBytes: DISK_BYTES, ...options });
  const image = await Qcow2Image.open(device, { writeable: true });
  const disk = patchwork(DISK_BYTES, 20_000);
  const source = new RawImage(new MemoryDevice(disk), false);
  if (options.packed) await packDisk(source, new Qcow2PackedWriter(image));
  else await image.write(disk.subarray(0, 100_000), 50_000);
  await image.close();
  return { format: 'qcow2', bytes: device.content() };
}

/** An image that only qemu-img makes. */
function byQemu(...options: readonly string[]): Base[] {
  if (QEMU_MISSING !== undefined) return [];
  using place = new ImagePlace();
  place.write('disk.raw', patchwork(DISK_BYTES, 20_000));
  place.run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...options, 'disk.raw', 'disk.qcow2']);
  place.run('qemu-img', ['snapshot', '-c', 'one', 'disk.qcow2']);
  return [{ format: 'qcow2', bytes: place.read('disk.qcow2') }];
}

async function bases(): Promise<Base[]> {
  const vdi = new MemoryDevice();
  await createVdi(vdi, { sizeBytes: 3 * 1024 * 1024, uuid: noise(new Uint8Array(16), 3) });
  const vdiImage = await VdiImage.open(vdi, { writeable: true });
  await vdiImage.write(new Uint8Array(5000).fill(4), 1024 * 1024 - 2000);
  await vdiImage.close();
  const vmdk = new MemoryDevice();
  const writer = await VmdkStreamWriter.begin(vmdk, { sizeBytes: DISK_BYTES, name: 'a', contentId: 1 });
  await packDisk(new RawImage(new MemoryDevice(patchwork(DISK_BYTES, 20_000)), false), writer);
  return [
    await qcow2({ clusterBytes: 512 }),
    await qcow2({ clusterBytes: 4096 }),
    await qcow2({ clusterBytes: 2048, version: 2 }),
    await qcow2({ clusterBytes: 4096, packed: true }),
    ...byQemu('-c', '-o', 'compression_type=zstd,cluster_size=4k'),
    ...byQemu('-o', 'extended_l2=on,cluster_size=16k'),
    { format: 'vdi', bytes: vdi.content() },
    { format: 'vmdk', bytes: vmdk.content() },
  ];
}

/** Numbers that programs get wrong. */
const NUMBERS = [0n, 1n, 2n, 0xffn, 0x200n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 2n ** 32n, 2n ** 40n]
  .concat([2n ** 52n, 2n ** 53n - 512n, 2n ** 53n, 2n ** 56n - 512n, 2n ** 62n, 2n ** 63n, 2n ** 64n - 1n])
  .concat([0x8000_0000_0000_0000n + 2n ** 54n]);

/** Changes an image: mostly its headers and tables, which lie at the beginning or are numbers. */
function spoil(bytes: Uint8Array, random: Random): Uint8Array {
  let spoilt = bytes.slice();
  for (let left = 1 + random.below(5); left > 0; left--) {
    const view = new DataView(spoilt.buffer);
    if (spoilt.byteLength < 16) return spoilt;
    const reach = random.once(2) ? Math.min(512, spoilt.byteLength) : spoilt.byteLength;
    const at = random.below(Math.floor(reach / 4) - 2) * 4;
    const number = NUMBERS[random.below(NUMBERS.length)] ?? 0n;
    const littleEndian = random.once(2);
    switch (random.below(7)) {
      case 0:
        view.setBigUint64(at, number, littleEndian);
        break;
      case 1:
        view.setUint32(at, Number(BigInt.asUintN(32, number)), littleEndian);
        break;
      case 2:
        view.setUint32(at, view.getUint32(at, littleEndian) + (random.once(2) ? 512 : 1), littleEndian);
        break;
      case 3:
        // A number from elsewhere, so that tables lead to each other.
        view.setBigUint64(at, view.getBigUint64(random.below(Math.floor(spoilt.byteLength / 8)) * 8));
        break;
      case 4:
        spoilt[random.below(reach)] = random.u32();
        break;
      case 5:
        spoilt.copyWithin(at, random.below(spoilt.byteLength), random.below(spoilt.byteLength));
        break;
      case 6:
        if (random.once(4)) spoilt = spoilt.slice(0, random.below(spoilt.byteLength));
        break;
    }
  }
  return spoilt;
}

/** How an attempt may end. */
interface Tally {
  refused: number;
  done: number;
}

/** Does something that may be refused. */
async function attempt<Result>(tally: Tally, work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    const result = await work();
    tally.done++;
    return result;
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    tally.refused++;
    return undefined;
  }
}

async function lookAt(image: DiskImage, random: Random, tally: Tally): Promise<void> {
  const { sizeBytes } = image;
  let position = 0;
  for (let count = 0; position < sizeBytes && count < EXTENTS_MAX; count++) {
    const extent = await attempt(tally, () => image.extent(position, sizeBytes - position));
    if (!extent) break;
    expect(extent.length).toBeGreaterThan(0);
    position += extent.length;
  }
  for (const at of [0, random.below(sizeBytes), Math.max(0, sizeBytes - 70_000)]) {
    const into = new Uint8Array(Math.min(70_000, sizeBytes - at));
    await attempt(tally, () => image.read(into, at));
  }
}

async function change(image: DiskImage, random: Random, tally: Tally): Promise<void> {
  for (let count = 0; count < 4; count++) {
    const at = random.below(image.sizeBytes);
    const length = Math.min(1 + random.below(30_000), image.sizeBytes - at);
    const kind = random.below(3);
    if (kind === 0) await attempt(tally, () => image.write(new Uint8Array(length).fill(9), at));
    if (kind === 1) await attempt(tally, () => image.discard(at, length));
    if (kind === 2) await attempt(tally, () => image.writeZeroes(at, length));
  }
  await attempt(tally, () => image.sync());
  if (random.once(3)) await attempt(tally, () => image.resize(image.sizeBytes + 512 * random.below(5000)));
  await attempt(tally, () => image.close());
}

/** Everything that is done with images, each with a copy of its own. */
async function useAll({ format, bytes }: Base, random: Random, tally: Tally): Promise<void> {
  const open = (device: HostileDevice, writeable: boolean): Promise<DiskImage | undefined> =>
    attempt(tally, () => openImage(device, format, { writeable }));
  const uses: ((device: HostileDevice) => Promise<unknown>)[] = [
    (device) => attempt(tally, () => checkImage(device, format)),
    async (device) => {
      const image = await open(device, false);
      if (image) await lookAt(image, random, tally);
    },
    async (device) => {
      const image = format === 'vmdk' ? undefined : await open(device, true);
      if (image) await change(image, random, tally);
    },
    async (device) => {
      if (format === 'qcow2') await attempt(tally, () => repairQcow2(device));
      const image = format === 'vmdk' || !random.once(3) ? undefined : await open(device, true);
      if (image && image.sizeBytes < 2 ** 30) await attempt(tally, () => compactImage(device, image));
    },
  ];
  for (const use of uses) {
    const device = new HostileDevice(bytes);
    await use(device);
    expect(device.operations).toBeLessThan(OPERATIONS_MAX);
    expect(device.bytes).toBeLessThan(BYTES_MAX);
  }
}

const RUNS = propertyRuns(100);

test('spoilt headers and tables of every format are refused, or used within bounds', {
  timeout: 60_000 + RUNS * 100,
}, async () => {
  const all = await bases();
  const tally: Tally = { refused: 0, done: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(2 ** 31 - 1), async (seed) => {
      const random = new Random(seed, 'hostile images');
      const base = all[random.below(all.length)];
      if (base) await useAll({ ...base, bytes: spoil(base.bytes, random) }, random, tally);
    }),
    { numRuns: RUNS },
  );
  // Both must come about, or the changes are too coarse or too fine.
  expect(tally.refused).toBeGreaterThan(50);
  expect(tally.done).toBeGreaterThan(50);
});

/** A qcow2 image with some bytes changed. */
async function changed(
  clusterBytes: number,
  alter: (view: DataView, bytes: Uint8Array) => void,
): Promise<Uint8Array> {
  const { bytes } = await qcow2({ clusterBytes });
  alter(new DataView(bytes.buffer), bytes);
  return bytes;
}

const L1_AT = 40;
const REFCOUNT_TABLE_AT = 48;
const offsetAt = (view: DataView, at: number): number => Number(view.getBigUint64(at) & 0xff_ffff_ffff_fe00n);

test.each([
  ['data', 0x8000_0000_0000_0000n],
  ['compressed data', 0x4000_0000_0000_0000n],
])('%s far behind any file is refused when it is overwritten', async (_, flag) => {
  const bytes = await changed(4096, (view) => {
    const table = offsetAt(view, offsetAt(view, L1_AT));
    view.setBigUint64(table + 20 * 8, flag | (2n ** 50n));
  });
  const image = await Qcow2Image.open(new HostileDevice(bytes), { writeable: true });
  const code = 'Malformed';
  await expect(image.write(new Uint8Array(512), 20 * 4096)).rejects.toMatchObject({ code });
  await expect(image.writeZeroes(20 * 4096, 4096)).rejects.toMatchObject({ code });
  await image.write(new Uint8Array(512), 0);
  await image.close();
});

test('refcounts get no room for places that only an entry of a table names', async () => {
  const bytes = await changed(4096, (view) => {
    const table = offsetAt(view, offsetAt(view, L1_AT));
    view.setBigUint64(table + 20 * 8, 0x8000_0000_0000_0000n | (2n ** 40n));
  });
  const image = await Qcow2Image.open(new HostileDevice(bytes), { writeable: true });
  const { length } = image.file.refcounts.blocks;
  await expect(image.writeZeroes(20 * 4096, 4096)).rejects.toMatchObject({ code: 'Malformed' });
  expect(image.file.refcounts.blocks.length).toBe(length);
  await image.close();
  const far = await changed(4096, (view) => {
    view.setBigUint64(offsetAt(view, L1_AT), 0x8000_0000_0000_0000n | (2n ** 40n));
  });
  const other = await Qcow2Image.open(new HostileDevice(far), { writeable: true });
  await other.write(new Uint8Array(512), 0);
  await expect(other.sync()).rejects.toMatchObject({ code: 'Malformed' });
  expect(other.file.refcounts.blocks.length).toBe(length);
});

test('a table that is named a hundred thousand times is looked at once', async () => {
  const clusterBytes = 65_536;
  const entries = 100_000;
  const bytes = await changed(clusterBytes, () => {});
  const large = new Uint8Array(bytes.byteLength + entries * 8);
  large.set(bytes);
  const view = new DataView(large.buffer);
  const table = view.getBigUint64(offsetAt(view, L1_AT));
  view.setBigUint64(L1_AT, BigInt(bytes.byteLength));
  view.setUint32(36, entries);
  for (let index = 0; index < entries; index++) view.setBigUint64(bytes.byteLength + index * 8, table);
  const device = new HostileDevice(large);
  expect((await checkImage(device, 'qcow2')).problemCount).toBeGreaterThan(0);
  expect(device.bytes).toBeLessThan(10 * 1024 * 1024);
});

test('refcounts that leave no cluster free, however large the file becomes, are an error', async () => {
  const clusterBytes = 512;
  // As many blocks as count more clusters than the file may lack, none of them free.
  const tableClusters = 66;
  const entries = (tableClusters * clusterBytes) / 8;
  const { bytes } = await qcow2({ clusterBytes });
  const at = Math.ceil(bytes.byteLength / clusterBytes) * clusterBytes;
  const large = new Uint8Array(at + (tableClusters + entries) * clusterBytes).fill(1);
  large.set(bytes);
  const view = new DataView(large.buffer);
  const firstBlock = at + tableClusters * clusterBytes;
  for (let entry = 0; entry < entries; entry++)
    view.setBigUint64(at + entry * 8, BigInt(firstBlock + entry * clusterBytes));
  view.setBigUint64(REFCOUNT_TABLE_AT, BigInt(at));
  view.setUint32(56, tableClusters);
  const image = await Qcow2Image.open(new HostileDevice(large), { writeable: true });
  await expect(image.write(new Uint8Array(512), 200_000)).rejects.toThrow(
    'refcounts count clusters behind the end of the file',
  );
});

test('a refcount block that is listed twice is refused for writing', async () => {
  const bytes = await changed(4096, (view) => {
    const table = offsetAt(view, REFCOUNT_TABLE_AT);
    view.setBigUint64(table + 8, view.getBigUint64(table));
  });
  await expect(Qcow2Image.open(new HostileDevice(bytes), { writeable: true })).rejects.toThrow(
    "refcount block 1 at byte 126976 is another one's, too",
  );
});

test('numbers that no file can have are told with their place in the file', async () => {
  const bytes = await changed(4096, (view) => {
    view.setBigUint64(offsetAt(view, REFCOUNT_TABLE_AT) + 16, 2n ** 63n);
  });
  const table = Number(new DataView(bytes.buffer).getBigUint64(REFCOUNT_TABLE_AT));
  await expect(Qcow2Image.open(new HostileDevice(bytes), { writeable: true })).rejects.toMatchObject({
    position: table + 16,
  });
});

test('more bitmaps than there may be are refused before they are looked at', async () => {
  const bytes = new Uint8Array(65_536 * 3);
  const { bytes: sound } = await qcow2({ clusterBytes: 4096 });
  bytes.set(sound);
  const file = await Qcow2Image.open(new HostileDevice(bytes), { writeable: false });
  Object.assign(file.file.header, {
    bitmaps: { directoryOffset: 65_536, directoryBytes: 512, count: 65_536 },
  });
  await expect(bitmapTables(file.file, () => {})).rejects.toThrow('65536 bitmaps');
});

test('one of the files of a VMDK disk is not taken for the disk', async () => {
  const device = new MemoryDevice();
  const writer = await VmdkStreamWriter.begin(device, { sizeBytes: DISK_BYTES, name: 'a', contentId: 1 });
  await writer.finish();
  const bytes = device.content();
  new DataView(bytes.buffer).setBigUint64(36, 0n, true);
  await expect(openImage(new HostileDevice(bytes), 'vmdk', { writeable: false })).rejects.toThrow(
    'one of several files that a disk lies in',
  );
});

test('a VMDK descriptor of nothing but white space is read in its length', async () => {
  const device = new MemoryDevice();
  await VmdkStreamWriter.begin(device, { sizeBytes: DISK_BYTES, name: 'a', contentId: 1 });
  const bytes = new Uint8Array(2 * 1024 * 1024);
  bytes.set(device.content());
  const view = new DataView(bytes.buffer);
  view.setBigUint64(36, 2048n, true);
  bytes.fill(0x0a, 512, 512 + 2048 * 512);
  await expect(openImage(new HostileDevice(bytes), 'vmdk', { writeable: false })).rejects.toThrow(
    'a VMDK image of type "unknown"',
  );
});

test('a VMDK disk of zeros is passed over by whole tables, however large it is', async () => {
  const device = new MemoryDevice();
  const sizeBytes = 2 ** 40;
  const writer = await VmdkStreamWriter.begin(device, { sizeBytes, name: 'a', contentId: 1 });
  await writer.finish();
  const image = await openImage(new HostileDevice(device.content()), 'vmdk', { writeable: false });
  expect(await image.extent(512, sizeBytes - 512)).toEqual({ kind: 'zero', length: sizeBytes - 512 });
});

test('a VDI image whose map lies over its blocks is not sound, and not written', async () => {
  const device = new MemoryDevice();
  await createVdi(device, { sizeBytes: 3 * 1024 * 1024, uuid: noise(new Uint8Array(16), 3) });
  const image = await VdiImage.open(device, { writeable: true });
  await image.write(new Uint8Array(512).fill(1), 0);
  await image.close();
  const bytes = device.content();
  const view = new DataView(bytes.buffer);
  const data = view.getUint32(344, true);
  const map = view.getUint32(340, true);
  bytes.copyWithin(data + 4096, map, map + 512);
  view.setUint32(340, data + 4096, true);
  const problem = `the map at ${data + 4096} lies over the blocks`;
  expect((await checkImage(new HostileDevice(bytes), 'vdi')).problems).toContain(problem);
  await expect(openImage(new HostileDevice(bytes), 'vdi', { writeable: true })).rejects.toThrow(problem);
});

/**
 * VMDK images: read as qemu-img writes them and as we write them; written so that others read them.
 */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { packDisk } from '../../src/image/convert.ts';
import { RawImage } from '../../src/image/raw/raw-image.ts';
import { checkVmdk } from '../../src/image/vmdk/check.ts';
import { VmdkStreamWriter } from '../../src/image/vmdk/stream-writer.ts';
import { VmdkImage } from '../../src/image/vmdk/vmdk-image.ts';
import { patchwork, wholeDisk } from './disk-content.ts';
import { MemoryDevice } from './memory-device.ts';
import { ImagePlace, QEMU_MISSING } from './qemu.ts';

const MIB = 1024 * 1024;
const SEVEN_ZIP_MISSING =
  spawnSync('7z', ['i']).status === 0 ? undefined : '7z (Debian package p7zip-full) is not installed';

async function packed(disk: Uint8Array): Promise<Uint8Array> {
  const device = new MemoryDevice();
  const writer = await VmdkStreamWriter.begin(device, {
    sizeBytes: disk.byteLength,
    name: 'disk.vmdk',
    contentId: 0x1234_5678,
  });
  await packDisk(new RawImage(new MemoryDevice(disk), false), writer);
  return device.content();
}

/** A disk of zeros but for what lies at some places. */
function sparseDisk(sizeBytes: number, places: readonly number[]): Uint8Array {
  const disk = new Uint8Array(sizeBytes);
  for (const at of places) disk.set(patchwork(1_400_000, 100_000, at).subarray(0, sizeBytes - at), at);
  return disk;
}

/** A disk with several tables, one of them empty. */
function testDisk(): Uint8Array {
  return sparseDisk(97 * MIB + 512, [31 * MIB, 96 * MIB]);
}

test('what is written reads back', async () => {
  const disk = testDisk();
  const image = await VmdkImage.open(new MemoryDevice(await packed(disk), false));
  expect(image.sizeBytes).toBe(disk.byteLength);
  expect(Buffer.compare(await wholeDisk(image, 3_000_017), disk)).toBe(0);
  const empty = await VmdkImage.open(new MemoryDevice(await packed(new Uint8Array(MIB)), false));
  expect(Buffer.compare(await wholeDisk(empty), new Uint8Array(MIB))).toBe(0);
});

test('grains that have the same place are found', async () => {
  const bytes = await packed(patchwork(2 * MIB, 300_000));
  expect(await checkVmdk(new MemoryDevice(bytes))).toMatchObject({ problemCount: 0 });
  const { directory } = await VmdkImage.open(new MemoryDevice(bytes, false));
  const table = (directory.find((sector) => sector !== 0) ?? 0) * 512;
  const view = new DataView(bytes.buffer);
  const used = Array.from({ length: 512 }, (_, grain) => grain).filter(
    (grain) => view.getUint32(table + grain * 4, true) !== 0,
  );
  const [one = 0, other = 0] = used;
  const sector = view.getUint32(table + one * 4, true);
  view.setUint32(table + other * 4, sector, true);
  const { problems } = await checkVmdk(new MemoryDevice(bytes));
  expect(problems).toEqual([expect.stringMatching(`has sector ${sector}, as another one has$`)]);
});

describe.skipIf(QEMU_MISSING !== undefined)(`with qemu-img (${QEMU_MISSING ?? 'it is installed'})`, () => {
  test.each(['monolithicSparse', 'streamOptimized'])('%s images of qemu-img are read', async (subformat) => {
    using place = new ImagePlace();
    const disk = sparseDisk(34 * MIB + 512, [MIB, 31 * MIB]);
    place.write('disk.raw', disk);
    place.run('qemu-img', [
      'convert',
      '-f',
      'raw',
      '-O',
      'vmdk',
      '-o',
      `subformat=${subformat}`,
      'disk.raw',
      'disk.vmdk',
    ]);
    const image = await VmdkImage.open(new MemoryDevice(place.read('disk.vmdk'), false));
    expect(Buffer.compare((await wholeDisk(image, 3_000_017)).subarray(0, disk.byteLength), disk)).toBe(0);
  });

  test('qemu-img reads what is written', async () => {
    using place = new ImagePlace();
    const disk = testDisk();
    place.write('disk.vmdk', await packed(disk));
    expect(place.compareByQemu('disk.vmdk', 'vmdk', disk)).toBe('');
  });

  test.each(['monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'])(
    '%s is refused by name',
    async (subformat) => {
      using place = new ImagePlace();
      place.run('qemu-img', ['create', '-f', 'vmdk', '-o', `subformat=${subformat}`, 'disk.vmdk', '4M']);
      await expect(VmdkImage.open(new MemoryDevice(place.read('disk.vmdk'), false))).rejects.toThrow(
        'a VMDK image whose disk lies in other files',
      );
    },
  );

  test('a difference to another image is refused by name', async () => {
    using place = new ImagePlace();
    place.run('qemu-img', ['create', '-f', 'vmdk', 'base.vmdk', '4M']);
    place.run('qemu-img', ['create', '-f', 'vmdk', '-b', 'base.vmdk', '-F', 'vmdk', 'disk.vmdk']);
    await expect(VmdkImage.open(new MemoryDevice(place.read('disk.vmdk'), false))).rejects.toThrow(
      'the image is a difference to another one',
    );
  });
});

describe.skipIf(SEVEN_ZIP_MISSING !== undefined)(
  `with 7-Zip (${SEVEN_ZIP_MISSING ?? 'it is installed'})`,
  () => {
    test('7-Zip reads what is written', async () => {
      using place = new ImagePlace();
      const disk = testDisk();
      place.write('disk.vmdk', await packed(disk));
      place.run('7z', ['e', '-y', '-tvmdk', '-oout', 'disk.vmdk']);
      const [name = ''] = place.run('ls', ['out']).split('\n');
      expect(Buffer.compare(place.read(`out/${name}`), disk)).toBe(0);
    });
  },
);

/** qcow2 images that qemu-img has made are read as qemu-img reads them. */
import { describe, expect, test } from 'vitest';
import { checkQcow2 } from '../../src/image/qcow2/check.ts';
import { Qcow2Image } from '../../src/image/qcow2/qcow2-image.ts';
import { RawImage } from '../../src/image/raw/raw-image.ts';
import { noise, patchwork, wholeDisk } from './disk-content.ts';
import { MemoryDevice } from './memory-device.ts';
import { ImagePlace, QEMU_MISSING } from './qemu.ts';

const MIB = 1024 * 1024;
const SIZE = 2 * MIB + 512 * 3;

async function open(place: ImagePlace, name: string): Promise<Qcow2Image> {
  return Qcow2Image.open(new MemoryDevice(place.read(name), false), { writeable: false });
}

describe.skipIf(QEMU_MISSING !== undefined)(`images by qemu-img (${QEMU_MISSING ?? 'is installed'})`, () => {
  test.each<[string, string[]]>([
    ['with default options', []],
    ['of version 2', ['-o', 'compat=0.10']],
    ['with the smallest clusters', ['-o', 'cluster_size=512']],
    ['with the largest clusters', ['-o', 'cluster_size=2M']],
    ['with refcounts of one bit', ['-o', 'refcount_bits=1']],
    ['compressed by zlib', ['-c']],
    ['compressed by zlib in the smallest clusters', ['-c', '-o', 'cluster_size=512']],
    ['compressed by zlib in the largest clusters', ['-c', '-o', 'cluster_size=2M']],
    ['compressed by zstd', ['-c', '-o', 'compression_type=zstd']],
    ['with subclusters', ['-o', 'extended_l2=on,cluster_size=64k']],
    ['with all metadata at the beginning', ['-o', 'preallocation=metadata']],
  ])('%s hold the same disk', async (_, options) => {
    using place = new ImagePlace();
    const disk = patchwork(SIZE, 40_960);
    place.write('disk.raw', disk);
    place.run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...options, 'disk.raw', 'disk.qcow2']);
    const image = await open(place, 'disk.qcow2');
    expect(image.sizeBytes).toBe(SIZE);
    expect(Buffer.compare(await wholeDisk(image), disk)).toBe(0);
    const check = await checkQcow2(new MemoryDevice(place.read('disk.qcow2')));
    expect(check).toMatchObject({ problems: [], leaks: 0 });
  });

  test('zeros, discarded clusters and parts of subclusters read as qemu-io left them', async () => {
    for (const options of ['cluster_size=64k', 'extended_l2=on,cluster_size=64k', 'compat=0.10']) {
      using place = new ImagePlace();
      place.run('qemu-img', ['create', '-f', 'qcow2', '-o', options, 'disk.qcow2', '8M']);
      const commands = [
        'write -P 1 0 3M',
        'write -z 128k 256k',
        'discard 1M 128k',
        'write -P 9 70k 3k',
        'write -z 2100k 2k',
      ];
      place.run('qemu-io', ['-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), 'disk.qcow2']);
      place.run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', 'disk.qcow2', 'disk.raw']);
      const disk = await wholeDisk(await open(place, 'disk.qcow2'));
      expect(Buffer.compare(disk, place.read('disk.raw'))).toBe(0);
    }
  });

  test('a chain of three images, the lowest of them shorter, reads as one disk', async () => {
    using place = new ImagePlace();
    const base = noise(new Uint8Array(2 * MIB), 3);
    place.write('base.raw', base);
    place.run('qemu-img', ['create', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', 'middle.qcow2', '4M']);
    place.run('qemu-io', [
      '-f',
      'qcow2',
      '-c',
      'write -P 5 1M 100k',
      '-c',
      'write -z 200k 64k',
      'middle.qcow2',
    ]);
    place.run('qemu-img', ['create', '-f', 'qcow2', '-b', 'middle.qcow2', '-F', 'qcow2', 'top.qcow2', '5M']);
    place.run('qemu-io', [
      '-f',
      'qcow2',
      '-c',
      'write -P 6 1050k 10k',
      '-c',
      'write -P 7 4500k 100k',
      'top.qcow2',
    ]);
    place.run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', 'top.qcow2', 'disk.raw']);
    const lowest = new RawImage(new MemoryDevice(base), false);
    const middle = await Qcow2Image.open(new MemoryDevice(place.read('middle.qcow2')), {
      writeable: false,
      backing: lowest,
    });
    const top = await Qcow2Image.open(new MemoryDevice(place.read('top.qcow2')), {
      writeable: false,
      backing: middle,
    });
    expect(middle.file.header).toMatchObject({ backing: 'base.raw', backingFormat: 'raw' });
    expect(Buffer.compare(await wholeDisk(top), place.read('disk.raw'))).toBe(0);
  });

  test('an image that names a backing image does not open without it', async () => {
    using place = new ImagePlace();
    place.run('qemu-img', [
      'create',
      '-f',
      'qcow2',
      '-u',
      '-b',
      'secret.raw',
      '-F',
      'raw',
      'top.qcow2',
      '4M',
    ]);
    await expect(open(place, 'top.qcow2')).rejects.toThrow('the image needs its backing image "secret.raw"');
  });

  test('snapshots and bitmaps within an image are counted, so that its check is clean', async () => {
    using place = new ImagePlace();
    place.run('qemu-img', ['create', '-f', 'qcow2', 'disk.qcow2', '64M']);
    place.run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 1 0 3M', 'disk.qcow2']);
    place.run('qemu-img', ['snapshot', '-c', 'first', 'disk.qcow2']);
    place.run('qemu-img', ['bitmap', '--add', '--enable', '-f', 'qcow2', 'disk.qcow2', 'marks']);
    place.run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 2 1M 3M', 'disk.qcow2']);
    const device = new MemoryDevice(place.read('disk.qcow2'));
    expect(await checkQcow2(device)).toMatchObject({ problems: [], leaks: 0 });
    await expect(Qcow2Image.open(device, { writeable: true })).rejects.toThrow(
      'an image with persistent bitmaps can only be read',
    );
  });

  test('an image with an external data file is refused by name', async () => {
    using place = new ImagePlace();
    place.run('qemu-img', ['create', '-f', 'qcow2', '-o', 'data_file=data.raw', 'disk.qcow2', '1M']);
    await expect(open(place, 'disk.qcow2')).rejects.toThrow('the data lies in an external file');
  });
});

/** New exFATs: of the sizes that mkfs.exfat chooses, judged by fsck.exfat and by our checker. */
import { closeSync, openSync, readFileSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { type FormatDevice, makeFileSystem, type MakeOptions } from '../src/index.ts';
import { ExfatWorkshop, missingExfatTools } from './exfat-tools.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new ExfatWorkshop();
afterAll(() => workshop.dispose());

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const WORLD = { nowMs: 0, random: (into: Uint8Array) => void into.fill(0x5a) };

/** Makes one in a file, which may be large and full of holes. */
async function makeIn(path: string, sizeBytes: number, options: MakeOptions): Promise<void> {
  writeFileSync(path, '');
  truncateSync(path, sizeBytes);
  const descriptor = openSync(path, 'r+');
  const device: FormatDevice = {
    sectorSizeBytes: 512,
    sectorCount: sizeBytes / 512,
    writeable: true,
    read: async (sector, into) => void readSync(descriptor, into, 0, into.length, sector * 512),
    write: async (sector, from) => void writeSync(descriptor, from, 0, from.length, sector * 512),
    sync: () => Promise.resolve(),
    zero: () => Promise.resolve(),
  };
  try {
    await makeFileSystem(device, 'exfat', options, WORLD);
  } finally {
    closeSync(descriptor);
  }
}

/** What the boot sector says of sizes and places. */
function sizesIn(path: string): Buffer {
  const descriptor = openSync(path, 'r');
  const bytes = Buffer.alloc(512);
  readSync(descriptor, bytes, 0, 512, 0);
  closeSync(descriptor);
  // Without the serial number.
  return Buffer.concat([bytes.subarray(0, 100), bytes.subarray(104, 120)]);
}

async function madeInMemory(image: Uint8Array, options: MakeOptions, sectorSizeBytes = 512): Promise<void> {
  await makeFileSystem(new MemoryHypercalls(image, { sectorSizeBytes }).bio, 'exfat', options, WORLD);
}

describe.skipIf(missingExfatTools)(`mkfs of exfat ${missingExfatTools ?? ''}`, () => {
  for (const [title, sizeBytes, options, args, long] of [
    ['8 MiB', 8 * MIB, {}, [], false],
    ['300 MiB', 300 * MIB, {}, [], true],
    ['8 GiB', 8 * GIB, {}, [], true],
    ['40 GiB', 40 * GIB, {}, [], true],
    ['clusters of 512 bytes', 16 * MIB, { blockBytes: 512 }, ['-c', '512'], true],
    ['clusters of 1 MiB', 64 * MIB, { blockBytes: MIB }, ['-c', '1M'], true],
  ] as const) {
    test(`${title}: as mkfs.exfat does`, async (context) => {
      skipIfLong(context, long);
      const [ours, theirs] = [join(workshop.folder, 'ours'), join(workshop.folder, 'theirs')];
      await makeIn(ours, sizeBytes, { label: 'Größe', ...options });
      writeFileSync(theirs, '');
      truncateSync(theirs, sizeBytes);
      workshop.run('mkfs.exfat', ['-L', 'Größe', ...args, theirs]);
      expect(sizesIn(ours)).toEqual(sizesIn(theirs));
      if (sizeBytes > GIB) return;
      const [one, other] = [readFileSync(ours), readFileSync(theirs)];
      const differences: number[] = [];
      // All that is behind the two boot regions: the FAT, the bitmap, the table and the root
      // directory.
      for (let at = 24 * 512; at < Math.min(one.length, 4 * MIB); at += 512)
        if (Buffer.compare(one.subarray(at, at + 512), other.subarray(at, at + 512)) !== 0)
          differences.push(at);
      expect(differences).toEqual([]);
      expect(workshop.check(new Uint8Array(one))).toBe('');
      expect(await ourFindings(new Uint8Array(one), 'exfat')).toBe('');
    });
  }

  test('sectors of all sizes, where something else was before, are sound and can be used', async () => {
    for (const sectorBytes of [512, 1024, 2048, 4096]) {
      const image = new Uint8Array(6 * MIB).fill(0xa5);
      await madeInMemory(image, { sectorBytes, label: 'STICK', serial: 0x1234_abcd }, sectorBytes);
      expect(await ourFindings(image, 'exfat'), `${sectorBytes}`).toBe('');
      expect(new DataView(image.buffer).getUint32(100, true)).toBe(0x1234_abcd);
      const fs = await Mounted.start(image, { sectorSizeBytes: sectorBytes }, true, 'auto');
      expect(fs.mount.statistics()).toMatchObject({ type: 'exfat', label: 'STICK' });
      await fs.mkdir('/directory');
      await fs.write('/directory/file', pattern(100_000));
      expect(same(await fs.contents('/directory/FILE'), pattern(100_000))).toBe(true);
      const done = await fs.end();
      expect(await ourFindings(done, 'exfat')).toBe('');
      if (sectorBytes === 512) expect(workshop.check(done)).toBe('');
    }
  });

  test('the least that there is', async () => {
    const image = new Uint8Array(MIB).fill(0xa5);
    await madeInMemory(image, { blockBytes: 512 });
    expect(await ourFindings(image, 'exfat')).toBe('');
    expect(workshop.check(image)).toBe('');
  });

  test('wishes that cannot be are refused, and nothing is written', async () => {
    const image = new Uint8Array(8 * MIB).fill(0xa5);
    const before = image.slice();
    for (const wishes of [
      { blockBytes: 3000 },
      { blockBytes: 64 * MIB },
      { blockBytes: 4 * MIB },
      { sectorBytes: 8192 },
      { label: 'twelve chars' },
      { label: 'a:b' },
      { serial: 2 ** 32 },
      { inodeBytes: 128 },
    ])
      await expect(madeInMemory(image, wishes), JSON.stringify(wishes)).rejects.toMatchObject({
        code: 'InvalidArgument',
      });
    await expect(madeInMemory(new Uint8Array(MIB / 2), {})).rejects.toMatchObject({
      code: 'InvalidArgument',
    });
    expect(same(image, before)).toBe(true);
  });
});

import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { propertyRuns } from '../../../test/property-runs.ts';
import { FsError } from '../src/errors.ts';
import { checkFileSystem, mountFileSystem } from '../src/file-systems.ts';
import { exerciseImage } from './exercise.ts';
import { FatWorkshop, missingFatTools } from './fat-tools.ts';
import { MemoryHypercalls, randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new FatWorkshop();
afterAll(() => workshop.dispose());

const TREE = {
  file: pattern(30_000),
  directory: { inner: { deep: 'deep' }, other: '' },
  many: Object.fromEntries(Array.from({ length: 30 }, (_unused, index) => [`a long name ${index}`, 'x'])),
};

describe('devices without a FAT', () => {
  test('noise is refused, and so is an empty device', async () => {
    const random = randomFrom(3);
    const mount = (bytes: Uint8Array, type: string): Promise<unknown> =>
      mountFileSystem(new MemoryHypercalls(bytes), type, { writeable: true });
    await expect(mount(new Uint8Array(65_536), 'msdos')).rejects.toMatchObject({
      code: 'NoFileSystem',
      message: 'msdos: no boot sector: sectors of 0 bytes',
    });
    for (let round = 0; round < 200; round += 1) {
      const noise = Uint8Array.from({ length: 4096 }, () => Math.floor(random() * 256));
      await expect(mount(noise, 'msdos')).rejects.toBeInstanceOf(FsError);
    }
  });
});

describe.skipIf(missingFatTools)(`FATs that lie ${missingFatTools ?? ''}`, () => {
  const make = (bits: string): Uint8Array =>
    workshop.make(
      { sizeBytes: bits === '12' ? 400 << 10 : 3 << 20, args: ['-F', bits, '-s', '1', '-r', '64'] },
      TREE,
    );
  const image = missingFatTools === undefined ? make('12') : new Uint8Array(0);
  const view = new DataView(image.buffer);
  const fatStart = missingFatTools === undefined ? view.getUint16(14, true) * 512 : 0;
  const rootStart = missingFatTools === undefined ? fatStart + 2 * view.getUint16(22, true) * 512 : 0;

  function poked(offset: number, ...bytes: number[]): Uint8Array {
    const changed = image.slice();
    changed.set(bytes, offset);
    return changed;
  }

  /** The place of an entry of the root directory. */
  function entryOf(name: string): number {
    for (let at = rootStart; at < image.length; at += 32) {
      if (String.fromCharCode(...image.subarray(at, at + 8)).trimEnd() === name) return at;
    }
    throw new Error(`test: no entry ${name}`);
  }

  const start = (bytes: Uint8Array): Promise<Mounted> => Mounted.start(bytes, {}, true, 'msdos');

  test('a device that is too short, and sizes that make no sense', async () => {
    await expect(start(image.slice(0, 200 << 10))).rejects.toMatchObject({
      code: 'Corrupt',
      message: `msdos: the file system has ${400 << 10} bytes, but the device ends after ${200 << 10} bytes`,
    });
    for (const bytes of [poked(19, 3, 0), poked(16, 9), poked(13, 3), poked(14, 0, 0)]) {
      await expect(start(bytes)).rejects.toBeInstanceOf(FsError);
    }
  });

  test('a chain in a circle ends with an error, and its file can be removed', async () => {
    const first = view.getUint16(entryOf('FILE') + 26, true);
    // The second cluster leads back to the first.
    const at = fatStart + Math.floor(((first + 1) * 3) / 2);
    const even = (first + 1) % 2 === 0;
    const old = view.getUint16(at, true);
    const entry = even ? (old & 0xf000) | first : (old & 0x000f) | (first << 4);
    const bytes = poked(at, entry & 0xff, entry >> 8);
    const fs = await start(bytes);
    await expect(fs.contents('/file')).rejects.toMatchObject({
      code: 'Corrupt',
      message: expect.stringContaining('circle'),
    });
    await fs.unlink('/file');
    await fs.write('/new', pattern(1000));
    await fs.end();
    const { findings } = await checkFileSystem(new MemoryHypercalls(bytes).bio, 'msdos');
    expect(findings.some(({ kind }) => kind === 'damage')).toBe(false);
  });

  test('a directory that is its own parent, or has no clusters, is refused where it is used', async () => {
    const directory = view.getUint16(entryOf('DIRECT~1') + 26, true);
    const inside = rootStart + view.getUint16(17, true) * 32 + (directory - 2) * 512 + 64;
    const looped = poked(inside + 26, directory & 0xff, directory >> 8);
    const fs = await start(looped);
    await expect(fs.list('/directory/inner')).rejects.toMatchObject({ code: 'Corrupt' });
    expect(await fs.list('/directory')).toEqual(['inner', 'other']);
    await fs.end();
    const none = await start(poked(inside + 26, 0, 0));
    await expect(none.list('/directory/inner')).rejects.toThrow(/cluster 0 is none of the \d+ clusters/);
    const beyond = await start(poked(entryOf('FILE') + 26, 0xee, 0x0e));
    await expect(beyond.contents('/file')).rejects.toMatchObject({ code: 'Corrupt' });
    const short = await start(poked(entryOf('FILE') + 28, 0xff, 0xff, 0xff, 0x7f));
    await expect(
      short.with('/file', (vnode) => short.mount.read(vnode, 60_000, new Uint8Array(10))),
    ).rejects.toThrow(/2147483647 bytes, but only \d+ clusters/);
  });

  test('a file that begins at a cluster there is not is removed, and nothing else is changed', async () => {
    const image16 = workshop.make(
      { sizeBytes: 3 << 20, args: ['-F', '16', '-s', '1', '-r', '64'] },
      { file: pattern(30_000), other: pattern(200_000) },
    );
    const view16 = new DataView(image16.buffer);
    const fatSectors = view16.getUint16(22, true);
    const root = (view16.getUint16(14, true) + 2 * fatSectors) * 512;
    const entries = (root - view16.getUint16(14, true) * 512) / 2;
    const data = root + 64 * 32;
    for (let at = root; at < data; at += 32) {
      if (String.fromCharCode(...image16.subarray(at, at + 4)) !== 'FILE') continue;
      // Where the entry of that cluster would be in the FAT is the data of the other file.
      view16.setUint16(at + 26, entries + (64 * 32 + 40_000) / 2, true);
    }
    const fs = await start(image16);
    await fs.unlink('/file');
    await fs.mount.sync();
    expect(same(await fs.contents('/other'), pattern(200_000))).toBe(true);
    expect(fs.hypercalls.lines.join()).toMatch(/cluster \d+ is none of the \d+ clusters/);
    await fs.end();
    const again = await start(fs.hypercalls.bytes);
    expect(same(await again.contents('/other'), pattern(200_000))).toBe(true);
  });

  test('a directory that cannot be made, because the device fails, is not there', async () => {
    let broken = false;
    const isRoot = (sector: number): boolean =>
      sector >= rootStart / 512 && sector < (rootStart + 64 * 32) / 512;
    const fs = await Mounted.start(
      image.slice(),
      {
        memoryBytes: 32 << 10,
        fault: (operation, sector) =>
          broken && operation === 'read' && isRoot(sector) ? 'bad sector' : undefined,
      },
      true,
      'msdos',
    );
    await fs.with('/directory', async (directory) => {
      await fs.mkdir('/directory/first');
      await fs.mount.sync();
      await fs.with('/file', async (file) => {
        // The blocks of the root directory leave the cache.
        for (let at = 0; at < 30_000; at += 512) await fs.mount.read(file, at, new Uint8Array(512));
      });
      broken = true;
      await expect(fs.mount.createDirectory(directory, 'new')).rejects.toMatchObject({ code: 'InputOutput' });
      broken = false;
    });
    const { findings } = await checkFileSystem(new MemoryHypercalls(await fs.end()).bio, 'msdos');
    expect(findings.filter(({ kind }) => kind === 'damage')).toEqual([]);
  });

  test('our checker names what is wrong, of each kind', async () => {
    const found = async (bytes: Uint8Array): Promise<string> => {
      const { findings } = await checkFileSystem(new MemoryHypercalls(bytes).bio, 'msdos');
      return findings.map(({ kind, text }) => `${kind}: ${text}`).join('\n');
    };
    expect(await found(image)).toBe('');
    const first = view.getUint16(entryOf('FILE') + 26, true);
    const other = view.getUint16(entryOf('MANY') + 26, true);
    expect(await found(poked(entryOf('FILE') + 26, other & 0xff, other >> 8))).toMatch(
      /damage: \/FILE: shares cluster|damage: \/MANY: shares cluster/,
    );
    expect(await found(poked(entryOf('FILE'), 0xe5))).toMatch(
      /harmless: FAT: 59 clusters are in use, but belong to nothing/,
    );
    expect(await found(poked(entryOf('FILE') + 28, 1, 0, 0, 0))).toBe(
      'harmless: /FILE: 1 clusters by its size, but has 59',
    );
    expect(await found(poked(entryOf('FILE') + 28, 0, 0, 1, 0))).toBe(
      'damage: /FILE: 128 clusters by its size, but has 59',
    );
    expect(await found(poked(fatStart + 512 * view.getUint16(22, true) + 3, 1))).toBe(
      'harmless: FAT 2: differs from the first at byte 3',
    );
    expect(await found(poked(37, 1))).toBe('harmless: volume: was not unmounted cleanly');
    expect(first).toBeGreaterThan(1);
  });

  for (const bits of ['12', '16']) {
    test(`changed bytes in structures: every use ends, with results or an FsError (FAT${bits})`, {
      timeout: 600_000,
    }, async () => {
      const whole = make(bits);
      const bytesView = new DataView(whole.buffer);
      const tables = bytesView.getUint16(14, true) * 512;
      const end = tables + 2 * bytesView.getUint16(22, true) * 512 + 64 * 32 + 40 * 512;
      const used = [...whole.subarray(0, end).keys()].filter((at) => whole[at] !== 0 || at < 64);
      const changed = whole.slice();
      let mounted = 0;
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          const random = randomFrom(seed);
          changed.set(whole);
          for (let flips = 1 + Math.floor(random() * 8); flips > 0; flips -= 1) {
            const at = used[Math.floor(random() * used.length)] ?? 0;
            changed[at] =
              random() < 0.5
                ? (changed[at] ?? 0) ^ (1 << Math.floor(random() * 8))
                : Math.floor(random() * 256);
          }
          await checkFileSystem(new MemoryHypercalls(changed.slice()).bio, 'msdos').catch((error: unknown) =>
            expect(error).toBeInstanceOf(FsError),
          );
          mounted += (await exerciseImage(changed, 'msdos')) ? 1 : 0;
        }),
        { numRuns: propertyRuns(12), endOnFailure: true },
      );
      expect(mounted).toBeGreaterThan(2);
    });
  }
});

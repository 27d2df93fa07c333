/**
 * Rules of exFAT that no other program here writes or breaks: images of mkfs.exfat, changed by
 * hand.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { mountFileSystem } from '../src/file-systems.ts';
import type { FsError } from '../src/errors.ts';
import { ExfatPokes } from './exfat-pokes.ts';
import { ExfatWorkshop, missingExfatTools } from './exfat-tools.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new ExfatWorkshop();
afterAll(() => workshop.dispose());

const VENDOR = 0xe1;

/** An image with some files, and where everything in it is. */
async function filled(): Promise<ExfatPokes> {
  const fs = await Mounted.start(
    workshop.make({ sizeBytes: 8 << 20, args: ['-c', '4K'] }),
    {},
    true,
    'exfat',
  );
  await fs.mkdir('/directory');
  await fs.write('/directory/file', pattern(20_000));
  await fs.write('/last', pattern(100));
  return new ExfatPokes(await fs.end());
}

/**
 * Adds an entry of a type to the set of `/last`, with a cluster of its own where that is wished.
 */
function addEntry(pokes: ExfatPokes, type: number, cluster = 0): void {
  const at = pokes.set('last');
  pokes.bytes[at + 1] = 3;
  pokes.bytes[at + 96] = type;
  pokes.bytes[at + 97] = cluster === 0 ? 0 : 3;
  pokes.view.setUint32(at + 96 + 20, cluster, true);
  pokes.set64(at + 96 + 24, cluster === 0 ? 0 : 5000);
  pokes.seal(at);
  if (cluster === 0) return;
  pokes.flip(cluster);
  pokes.flip(cluster + 1);
}

async function refusal(image: Uint8Array): Promise<FsError | undefined> {
  try {
    await mountFileSystem(new MemoryHypercalls(image), 'exfat', { writeable: true });
    return undefined;
  } catch (error) {
    return error as FsError;
  }
}

describe.skipIf(missingExfatTools)(`rules of exfat ${missingExfatTools ?? ''}`, () => {
  test('the backup of a damaged boot region is used, and nothing is written', async () => {
    const { bytes } = await filled();
    bytes[200] = 0x99;
    const before = bytes.slice();
    const fs = await Mounted.start(bytes, {}, true, 'auto');
    expect(fs.mount.writeable).toBe(false);
    expect(fs.hypercalls.lines).toEqual([
      expect.stringMatching(
        /^exfat: mounted read-only because of its boot region, whose backup is used: .*checksum/,
      ),
    ]);
    expect(same(await fs.contents('/directory/file'), pattern(20_000))).toBe(true);
    await fs.end();
    expect(same(bytes, before)).toBe(true);
    bytes[12 * 512 + 200] = 0x99;
    expect(await refusal(bytes)).toMatchObject({
      code: 'Corrupt',
      message: expect.stringContaining('no sound backup'),
    });
  });

  test('two FATs are read, by the one that counts, and not written', async () => {
    const pokes = await filled();
    const { bytes, view } = pokes;
    // The second FAT stands behind the first one, whose entries are spoilt; so is the first bitmap.
    const fat = pokes.fat(0);
    const fatBytes = view.getUint32(84, true) * 512;
    bytes.copyWithin(fat + fatBytes, fat, fat + fatBytes);
    bytes.fill(0x11, fat, fat + fatBytes);
    bytes[110] = 2;
    bytes[106] = 1;
    bytes[pokes.volumeEntry(0x81) + 1] = 1;
    pokes.sealBoot();
    const fs = await Mounted.start(bytes, {}, true, 'auto');
    expect(fs.mount.writeable).toBe(false);
    expect(fs.hypercalls.lines).toEqual(['exfat: mounted read-only because it has two FATs (TexFAT)']);
    expect(same(await fs.contents('/directory/file'), pattern(20_000))).toBe(true);
    await fs.end();
  });

  test('a medium that has failed is told', async () => {
    const { bytes } = await filled();
    bytes[106] = 4;
    const fs = await Mounted.start(bytes, {}, true, 'exfat');
    expect(fs.hypercalls.lines).toEqual(['exfat: the medium is marked as one that has failed']);
    await fs.write('/new', pattern(1));
    expect((await fs.end())[106]).toBe(4);
  });

  test('a damaged up-case table leaves a volume that can be read, with the letters A to Z', async () => {
    const pokes = await filled();
    pokes.view.setUint32(pokes.volumeEntry(0x82) + 4, 1, true);
    const fs = await Mounted.start(pokes.bytes, {}, true, 'exfat');
    expect(fs.mount.writeable).toBe(false);
    expect(fs.hypercalls.lines.at(-1)).toBe('exfat: mounted read-only because its up-case table is damaged');
    expect(same(await fs.contents('/DIRECTORY/file'), pattern(20_000))).toBe(true);
    await fs.end();
  });

  test('unknown entries of the root directory: those that may be ignored are, others refuse the volume', async () => {
    for (const [type, code] of [
      [0x86, 'NotSupported'],
      [0xa5, undefined],
      [0xa0, undefined],
    ] as const) {
      const pokes = await filled();
      const at = pokes.rootEnd;
      pokes.bytes[at] = type;
      const entry = pokes.bytes.slice(at, at + 32);
      const refused = await refusal(pokes.bytes.slice());
      expect(refused?.code).toBe(code);
      if (code !== undefined) {
        expect(refused?.message).toContain('0x86');
        continue;
      }
      const fs = await Mounted.start(pokes.bytes, {}, true, 'exfat');
      for (let index = 0; index < 200; index += 1) await fs.write(`/new ${index}`, pattern(10));
      expect(same((await fs.end()).subarray(at, at + 32), entry)).toBe(true);
    }
  });

  test('a directory with an entry of the root is damaged, and no other is', async () => {
    const pokes = await filled();
    const at = pokes.cluster(pokes.first('directory'));
    pokes.bytes.copyWithin(at + 320, pokes.volumeEntry(0x81), pokes.volumeEntry(0x81) + 32);
    // What stands between is in use by nobody, so that the walk gets there.
    for (let entry = at + 96; entry < at + 320; entry += 32) pokes.bytes[entry] = 0x05;
    const fs = await Mounted.start(pokes.bytes, {}, true, 'exfat');
    await expect(fs.list('/directory')).rejects.toMatchObject({
      code: 'Corrupt',
      message: expect.stringMatching(/^exfat: node \d+: it has an entry 0x81$/),
    });
    expect(same(await fs.contents('/last'), pattern(100))).toBe(true);
    await fs.end();
  });

  test('entries of a vendor move with their file, and are freed with it', async () => {
    const pokes = await filled();
    addEntry(pokes, VENDOR, 1000);
    expect(await ourFindings(pokes.bytes, 'exfat')).toBe('');
    const fs = await Mounted.start(pokes.bytes, {}, true, 'exfat');
    const { blocksFree } = fs.mount.statistics();
    await fs.rename('/last', '/directory/A longer name than before');
    await fs.with('/directory/A longer name than before', (vnode) => fs.mount.append(vnode, pattern(10)));
    await fs.write('/other', pattern(5));
    await expect(fs.rename('/other', '/directory/A longer name than before')).rejects.toMatchObject({
      code: 'NotSupported',
    });
    await fs.unlink('/other');
    await fs.mount.sync();
    expect(await ourFindings((await fs.end()).slice(), 'exfat')).toBe('');
    const again = await Mounted.start(pokes.bytes, {}, true, 'exfat');
    await again.unlink('/directory/A longer name than before');
    await again.mount.sync();
    // The cluster of the file, and the two of the vendor.
    expect(again.mount.statistics().blocksFree).toBe(blocksFree + 3);
    expect(await ourFindings(await again.end(), 'exfat')).toBe('');
  });

  test('a file with an unknown entry that must not be ignored is listed, and cannot be used', async () => {
    const pokes = await filled();
    addEntry(pokes, 0xc6);
    const fs = await Mounted.start(pokes.bytes, {}, true, 'exfat');
    expect(await fs.list('/')).toEqual(['directory', 'last']);
    for (const action of [
      () => fs.contents('/last'),
      () => fs.unlink('/last'),
      () => fs.rename('/last', '/x'),
    ])
      await expect(action()).rejects.toMatchObject({
        code: 'NotSupported',
        message: expect.stringContaining('0xc6'),
      });
    await fs.end();
  });

  test('a wrong checksum or hash fails the file, with its place, and no other', async () => {
    for (const [field, said] of [
      [2, 'checksum'],
      [36, 'hash of its name'],
    ] as const) {
      const pokes = await filled();
      const at = pokes.set('file');
      pokes.view.setUint16(at + field, 0x1234, true);
      if (field !== 2) pokes.seal(at);
      const fs = await Mounted.start(pokes.bytes, {}, true, 'exfat');
      expect(await fs.list('/directory')).toEqual(['file']);
      await expect(fs.contents('/directory/file')).rejects.toMatchObject({
        code: 'Corrupt',
        message: expect.stringMatching(new RegExp(`^exfat: "file" \\(node \\d+\\): .*${said} is 0x`)),
      });
      expect(same(await fs.contents('/last'), pattern(100))).toBe(true);
      await fs.write('/new', pattern(1));
      // It stays marked: something is wrong with it.
      expect((await fs.end())[106]).toBe(2);
    }
  });

  test('another revision is refused by its number', async () => {
    const pokes = await filled();
    for (const at of [0, 12 * 512]) {
      pokes.bytes[at + 105] = 2;
      pokes.sealBoot(at);
    }
    expect(await refusal(pokes.bytes)).toMatchObject({
      code: 'NotSupported',
      message: 'exfat: revision 2.0',
    });
    pokes.bytes[104] = 7;
    pokes.bytes[105] = 1;
    pokes.sealBoot();
    expect(await refusal(pokes.bytes)).toBeUndefined();
  });
});

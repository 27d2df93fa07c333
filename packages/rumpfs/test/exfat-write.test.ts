/**
 * What is written to an exFAT: judged by fsck.exfat, read back by exfat-fuse, grub and sleuthkit.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { leftOut, skipIfLong } from '../../../test/harness/long.ts';
import {
  EXFAT_FORMS,
  EXFAT_SECTOR_FORMS,
  ExfatWorkshop,
  missingExfatFuse,
  missingExfatKernel,
  missingExfatReaders,
  missingExfatTools,
} from './exfat-tools.ts';
import type { MemoryOptions } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new ExfatWorkshop();
afterAll(() => workshop.dispose());

const FORM = { sizeBytes: 8 << 20, args: ['-c', '4K'] };

function startExfat(image: Uint8Array, options: MemoryOptions = {}, zone?: string): Promise<Mounted> {
  return Mounted.start(image, options, true, 'exfat', zone);
}

/** The findings of our own checker and of fsck.exfat. */
async function mistakes(image: Uint8Array): Promise<string> {
  return (await ourFindings(image, 'exfat')) + workshop.check(image);
}

const NAMES = ['Some Long Name.text', 'a.b.c', '+plus', 'ümläut', '日本 😀', '.hidden', 'x'.repeat(255)];
const TIME_MS = Date.UTC(2024, 1, 29, 13, 14, 15, 670);

/** Files of all kinds, two of which grow by turns. */
async function fill(image: Uint8Array, sectorSizeBytes = 512): Promise<Uint8Array> {
  const fs = await startExfat(image, { sectorSizeBytes });
  for (const [index, name] of NAMES.entries()) await fs.write(`/${name}`, pattern(1000 * index, index));
  await fs.mkdir('/Deep Directory');
  await fs.mkdir('/Deep Directory/inner');
  await fs.write('/Deep Directory/inner/file', pattern(200_000));
  for (let index = 0; index < 300; index += 1)
    await fs.write(`/Deep Directory/a file with number ${index}`, pattern(index));
  for (const path of ['/one', '/two']) await fs.write(path, new Uint8Array(0));
  for (let turn = 0; turn < 12; turn += 1)
    for (const path of ['/one', '/two'])
      await fs.with(path, (vnode) => fs.mount.append(vnode, pattern(50_000, turn)));
  await fs.with('/one', (vnode) => fs.mount.truncate(vnode, 420_000));
  // Its clusters are there, and nothing was written to most of them.
  await fs.write('/sparse', pattern(100));
  await fs.with('/sparse', (vnode) => fs.mount.truncate(vnode, 300_000));
  for (let index = 0; index < 300; index += 3) await fs.unlink(`/Deep Directory/a file with number ${index}`);
  for (let index = 1; index < 300; index += 30)
    await fs.rename(`/Deep Directory/a file with number ${index}`, `/moved ${index}`);
  await fs.with('/one', (vnode) => fs.mount.setAttributes(vnode, { modifiedMs: TIME_MS }));
  return fs.end();
}

function expectFilled(read: (path: string) => Uint8Array): void {
  for (const [index, name] of NAMES.entries())
    expect(same(read(name), pattern(1000 * index, index)), name).toBe(true);
  expect(same(read('Deep Directory/inner/file'), pattern(200_000))).toBe(true);
  expect(same(read('Deep Directory/a file with number 299'), pattern(299))).toBe(true);
  expect(same(read('moved 121'), pattern(121))).toBe(true);
  const [one, two] = [read('one'), read('two')];
  expect([one.length, two.length]).toEqual([420_000, 600_000]);
  for (let turn = 0; turn < 8; turn += 1) {
    const at = turn * 50_000;
    expect(same(one.subarray(at, at + 50_000), pattern(50_000, turn)), `one, turn ${turn}`).toBe(true);
    expect(same(two.subarray(at, at + 50_000), pattern(50_000, turn)), `two, turn ${turn}`).toBe(true);
  }
  const sparse = new Uint8Array(300_000);
  sparse.set(pattern(100));
  expect(same(read('sparse'), sparse)).toBe(true);
}

describe.skipIf(missingExfatTools)(`exfat writes ${missingExfatTools ?? ''}`, () => {
  for (const form of EXFAT_FORMS) {
    test(`fsck.exfat finds nothing: ${form.title}`, async (context) => {
      skipIfLong(context, form.long === true || form.title.includes('4 KiB'));
      expect(await mistakes(await fill(workshop.make({ ...form, sizeBytes: 64 << 20 })))).toBe('');
    });
  }

  test('names that differ in case are the same, also beyond ASCII, and a rename changes the case', async () => {
    const fs = await startExfat(workshop.make(FORM));
    await fs.write('/Größe Ωmega.txt', pattern(5000));
    await expect(fs.write('/GRÖßE ωMEGA.TXT', pattern(1))).rejects.toMatchObject({ code: 'Exists' });
    await fs.rename('/größe ωmega.txt', '/GRÖßE ΩMEGA.TXT');
    expect(await fs.list('/')).toEqual(['GRÖßE ΩMEGA.TXT']);
    expect(same(await fs.contents('/größe ωmega.txt'), pattern(5000))).toBe(true);
    expect(await mistakes(await fs.end())).toBe('');
  });

  test('what an exFAT cannot have is refused with a word for it', async () => {
    const fs = await startExfat(workshop.make(FORM));
    await fs.write('/file', pattern(10));
    await expect(fs.symlink('/link', 'file')).rejects.toMatchObject({ code: 'NotSupported' });
    await expect(
      fs.with('/file', (vnode) => fs.mount.link(fs.mount.root, 'other', vnode)),
    ).rejects.toMatchObject({ code: 'NotSupported' });
    for (const name of ['a:b', 'question?', 'back\\slash', 'tab\there', 'blank ', 'star*', 'dot.'])
      await expect(fs.write(`/${name}`, pattern(1)), name).rejects.toMatchObject({ code: 'InvalidName' });
    await expect(fs.write(`/${'n'.repeat(256)}`, pattern(1))).rejects.toMatchObject({ code: 'NameTooLong' });
    const change = (wishes: object): Promise<void> =>
      fs.with('/file', (vnode) => fs.mount.setAttributes(vnode, wishes));
    await expect(change({ uid: 1000 })).rejects.toMatchObject({ code: 'NotPermitted' });
    await expect(change({ permissions: 0o600 })).rejects.toMatchObject({ code: 'NotPermitted' });
    await change({ permissions: 0o444, uid: 0 });
    expect(await fs.with('/file', (vnode) => fs.mount.attributes(vnode).permissions)).toBe(0o444);
    await expect(fs.with('/file', (vnode) => fs.mount.truncate(vnode, 2 ** 40))).rejects.toMatchObject({
      code: 'NoSpace',
    });
    expect(await mistakes(await fs.end())).toBe('');
  });

  test('a longer size writes nothing, reads as zeros, and stays so when something is written behind it', async () => {
    const image = workshop.make({ sizeBytes: 64 << 20, args: ['-c', '4K'] });
    // Whatever the clusters held before must not be seen.
    image.fill(0xee, 8 << 20);
    const fs = await startExfat(image);
    await fs.write('/file', pattern(1000));
    const before = fs.hypercalls.requests.write;
    await fs.with('/file', (vnode) => fs.mount.truncate(vnode, 20 << 20));
    await fs.mount.sync();
    expect(fs.hypercalls.requests.write - before).toBeLessThan(20);
    const expected = new Uint8Array(20 << 20);
    expected.set(pattern(1000));
    expect(same(await fs.contents('/file'), expected)).toBe(true);
    await fs.with('/file', (vnode) => fs.mount.write(vnode, 5_000_001, pattern(77)));
    expected.set(pattern(77), 5_000_001);
    expect(same(await fs.contents('/file'), expected)).toBe(true);
    await fs.with('/file', (vnode) => fs.mount.truncate(vnode, 500));
    await fs.with('/file', (vnode) => fs.mount.truncate(vnode, 3000));
    const short = new Uint8Array(3000);
    short.set(pattern(500));
    expect(same(await fs.contents('/file'), short)).toBe(true);
    expect(await mistakes(await fs.end())).toBe('');
  });

  test('times have their offset from UTC; one that is not known is that of the zone', async () => {
    const summer = Date.UTC(2026, 6, 15, 12, 0, 0);
    for (const [zone, offset, hour] of [
      ['UTC', 0x80, 12],
      ['Europe/Berlin', 0x88, 14],
      ['America/New_York', 0xf0, 8],
      ['Asia/Kathmandu', 0x97, 17],
    ] as const) {
      const fs = await startExfat(workshop.make(FORM), {}, zone);
      await fs.write('/summer', pattern(1));
      await fs.with('/summer', (vnode) => fs.mount.setAttributes(vnode, { modifiedMs: summer + 1990 }));
      const image = await fs.end();
      // The name is in the third entry.
      const entry = Buffer.from(image.buffer).indexOf(Buffer.from('summer', 'utf16le')) - 2 - 64;
      expect(image[entry + 23], zone).toBe(offset);
      expect((image[entry + 13] ?? 0) >> 3, zone).toBe(hour);
      // Wherever it is read, it is the same time.
      const again = await startExfat(image.slice(), {}, 'Asia/Tokyo');
      expect(await again.with('/summer', (vnode) => again.mount.attributes(vnode).modifiedMs)).toBe(
        summer + 1990,
      );
      await again.end();
    }
  });

  test('the mark of use is there from the first change on, and goes with a clean unmount', async () => {
    const image = workshop.make(FORM);
    const fs = await startExfat(image, { volatile: true });
    expect(image[106]).toBe(0);
    await fs.write('/file', pattern(40_000));
    await fs.mount.sync();
    const inUse = fs.hypercalls.crash(() => 1);
    expect(inUse[106]).toBe(2);
    const again = await startExfat(inUse);
    expect(again.hypercalls.lines).toEqual([
      'exfat: was not unmounted cleanly, a file system check is recommended',
    ]);
    expect((await again.end())[106]).toBe(2);
    const done = await fs.end();
    expect(done[106]).toBe(0);
    expect(workshop.check(done)).toBe('');
  });

  test('a file that is open without a name keeps its contents, and its clusters come back', async () => {
    const fs = await startExfat(workshop.make(FORM));
    const { blocksFree } = fs.mount.statistics();
    await fs.write('/file', pattern(100_000));
    await fs.with('/file', async (vnode) => {
      await fs.unlink('/file');
      await fs.write('/file', pattern(50, 7));
      const bytes = new Uint8Array(100_000);
      expect(await fs.mount.read(vnode, 0, bytes)).toBe(100_000);
      expect(same(bytes, pattern(100_000))).toBe(true);
      await fs.mount.append(vnode, pattern(10));
    });
    await fs.unlink('/file');
    await fs.mount.sync();
    expect(fs.mount.statistics().blocksFree).toBe(blocksFree);
    expect(await mistakes(await fs.end())).toBe('');
  });

  test('a file that moves while it is written to keeps what was written', async () => {
    const fs = await startExfat(workshop.make(FORM), { shuffleSeed: 3, memoryBytes: 512 << 10 });
    await fs.mkdir('/x');
    for (let round = 0; round < 20; round += 1) {
      await fs.write('/file', new Uint8Array(0));
      await fs.with('/file', async (vnode) => {
        await Promise.all([fs.mount.append(vnode, pattern(9000, round)), fs.rename('/file', `/x/${round}`)]);
      });
    }
    const again = await startExfat(await fs.end());
    for (let round = 0; round < 20; round += 1)
      expect(same(await again.contents(`/x/${round}`), pattern(9000, round)), `${round}`).toBe(true);
    expect(await mistakes(await again.end())).toBe('');
  });

  test('a full device takes what fits and stays whole', async () => {
    const fs = await startExfat(workshop.make({ sizeBytes: 1_200 << 10, args: ['-c', '512', '-b', '16K'] }));
    const written: number[] = [];
    for (let index = 0; ; index += 1) {
      const file = await fs.mount.createFile(fs.mount.root, `file${index}`);
      const length = await fs.mount.write(file, 0, pattern(150_000, index)).catch(() => 0);
      await fs.mount.release(file);
      written.push(length);
      if (length < 150_000) break;
    }
    expect(fs.mount.statistics().blocksFree).toBe(0);
    await expect(fs.mkdir('/directory')).rejects.toMatchObject({ code: 'NoSpace' });
    for (const [index, length] of written.entries())
      expect(same(await fs.contents(`/file${index}`), pattern(150_000, index).subarray(0, length))).toBe(
        true,
      );
    await fs.unlink('/file1');
    await fs.mkdir('/directory');
    for (let index = 0; index < 200; index += 1) await fs.write(`/directory/${index}`, new Uint8Array(0));
    expect(await mistakes(await fs.end())).toBe('');
  });

  test('a directory of many files is searched by its index, and shrinks to nothing', {
    timeout: 120_000,
  }, async () => {
    const count = leftOut(true) ? 2000 : 20_000;
    const made = await startExfat(workshop.make({ sizeBytes: 32 << 20, args: ['-c', '4K'] }));
    const { blocksFree } = made.mount.statistics();
    await made.mkdir('/many');
    const started = made.hypercalls.requests.read;
    for (let index = 0; index < count; index += 1)
      await made.write(`/many/number ${index}`, new Uint8Array(0));
    expect(made.hypercalls.requests.read - started).toBeLessThan(count / 4);
    const fs = await startExfat(await made.end());
    // 100 bytes a file, which come in pieces of 28 blocks; a block each would be 40 for 1000 files.
    for (let index = 0; index < 1000; index += 1)
      expect(await fs.with(`/many/NUMBER ${index}`, (vnode) => vnode.type)).toBe('file');
    expect(fs.hypercalls.requests.read).toBeLessThan(count / 100);
    for (let index = 0; index < count; index += 1) await fs.unlink(`/many/number ${index}`);
    await fs.rmdir('/many');
    await fs.mount.sync();
    expect(fs.mount.statistics().blocksFree).toBe(blocksFree);
    expect(await mistakes(await fs.end())).toBe('');
  });
});

describe.skipIf(missingExfatFuse)(`exfat-fuse reads what exfat wrote ${missingExfatFuse ?? ''}`, () => {
  for (const form of [EXFAT_FORMS[0], ...EXFAT_SECTOR_FORMS]) {
    if (form === undefined) continue;
    test(form.title, async (context) => {
      skipIfLong(context, form.long === true);
      const { sectorBytes = 512 } = form;
      const image = await fill(workshop.make({ ...form, sizeBytes: 32 << 20 }), sectorBytes);
      workshop.fuse(
        image,
        (folder) => {
          expectFilled((path) => new Uint8Array(readFileSync(join(folder, path))));
          expect(readdirSync(join(folder, 'Deep Directory')).length).toBe(1 + 200 - 10);
          expect(Math.floor(statSync(join(folder, 'one')).mtimeMs / 1000)).toBe(Math.floor(TIME_MS / 1000));
        },
        sectorBytes,
      );
    });
  }
});

describe.skipIf(missingExfatKernel)(`the kernel reads what exfat wrote ${missingExfatKernel ?? ''}`, () => {
  test('clusters of 4 KiB', async () => {
    workshop.kernel(await fill(workshop.make({ ...FORM, sizeBytes: 32 << 20 })), (folder) =>
      expectFilled((path) => new Uint8Array(readFileSync(join(folder, path)))),
    );
  });
});

describe.skipIf(missingExfatReaders)(`grub and sleuthkit read it ${missingExfatReaders ?? ''}`, () => {
  test('clusters of 4 KiB', async () => {
    const image = await fill(workshop.make({ ...FORM, sizeBytes: 32 << 20 }));
    // grub knows nothing of bytes that were not written, so that one is left out.
    for (const path of ['Deep Directory/inner/file', 'a.b.c', 'two'])
      expect(workshop.grub(image, `/${path}`).length, path).toBeGreaterThan(0);
    expect(same(workshop.grub(image, '/Deep Directory/inner/file'), pattern(200_000))).toBe(true);
    const names = workshop.sleuthkit(image);
    const inode = names.get('Deep Directory/inner/file');
    expect([...names.keys()]).toContain('moved 121');
    expect(same(workshop.icat(image, inode ?? ''), pattern(200_000))).toBe(true);
  });
});

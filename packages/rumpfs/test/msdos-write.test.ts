import { afterAll, describe, expect, test } from 'vitest';
import { checkFileSystem } from '../src/file-systems.ts';
import { FatWorkshop, missingFatTools } from './fat-tools.ts';
import { MemoryHypercalls, type MemoryOptions } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new FatWorkshop();
afterAll(() => workshop.dispose());

const FAT16 = { sizeBytes: 9 << 20, args: ['-F', '16', '-s', '4'] };
const FAT12 = { sizeBytes: 1 << 20, args: ['-F', '12', '-s', '1', '-r', '112'] };

function startFat(image: Uint8Array, options: MemoryOptions = {}, zone?: string): Promise<Mounted> {
  return Mounted.start(image, options, true, 'msdos', zone);
}

/** The findings of our own checker and of fsck.fat. */
async function mistakes(image: Uint8Array): Promise<string> {
  const { findings } = await checkFileSystem(new MemoryHypercalls(image).bio, 'msdos');
  return findings.map(({ text }) => text).join('\n') + workshop.check(image);
}

describe.skipIf(missingFatTools)(`msdos writes ${missingFatTools ?? ''}`, () => {
  test('mtools reads what was written, with names of every kind', async () => {
    const names = [
      'UPPER.TXT',
      'lower.txt',
      'mixed.TXT',
      'Some Long Name.text',
      'a.b.c',
      '+plus',
      'ümläut',
      '日本',
      'dot.',
      '.hidden',
    ];
    const fs = await startFat(workshop.make(FAT16));
    for (const [index, name] of names.entries()) {
      if (name.endsWith('.'))
        await expect(fs.write(`/${name}`, pattern(1))).rejects.toMatchObject({ code: 'InvalidName' });
      else await fs.write(`/${name}`, pattern(1000 * index, index));
    }
    await fs.mkdir('/Deep Directory');
    await fs.write('/Deep Directory/inner', pattern(100_000));
    const image = await fs.end();
    expect(await mistakes(image)).toBe('');
    for (const [index, name] of names.entries()) {
      if (!name.endsWith('.'))
        expect(same(workshop.contents(image, name), pattern(1000 * index, index)), name).toBe(true);
    }
    expect(same(workshop.contents(image, 'Deep Directory/inner'), pattern(100_000))).toBe(true);
    const listing = workshop.mtoolsOutput(image, 'mdir', '::');
    expect(listing).toMatch(/^lower {4}txt .* *\r?$/m);
    expect(listing).toMatch(/^mixed {4}TXT .* *\r?$/m);
    expect(listing).toMatch(/^SOMELO~1 TEX .* Some Long Name.text\r?$/m);
  });

  test('thousands of similar names get short names of their own', async () => {
    const fs = await startFat(workshop.make(FAT16));
    await fs.mkdir('/many');
    const names = Array.from({ length: 300 }, (_unused, index) => `a file with number ${index}`);
    for (const name of names) await fs.write(`/many/${name}`, new Uint8Array(0));
    expect(await fs.list('/many')).toEqual(names.toSorted());
    for (const name of names.slice(0, 150)) await fs.unlink(`/many/${name}`);
    expect(await mistakes(await fs.end())).toBe('');
  });

  test('names that differ in case are the same, and a rename changes the case', async () => {
    const fs = await startFat(workshop.make(FAT16));
    await fs.write('/Read Me Please.txt', pattern(5000));
    await expect(fs.write('/READ ME please.TXT', pattern(1))).rejects.toMatchObject({ code: 'Exists' });
    await fs.rename('/read me please.txt', '/READ me PLEASE.txt');
    expect(await fs.list('/')).toEqual(['READ me PLEASE.txt']);
    await fs.write('/short', pattern(10));
    await fs.rename('/short', '/SHORT');
    expect(await fs.list('/')).toEqual(['READ me PLEASE.txt', 'SHORT']);
    expect(same(await fs.contents('/read me please.txt'), pattern(5000))).toBe(true);
    expect(await mistakes(await fs.end())).toBe('');
  });

  test('what a FAT cannot have is refused with a word for it', async () => {
    const fs = await startFat(workshop.make(FAT16));
    await fs.write('/file', pattern(10));
    await expect(fs.symlink('/link', 'file')).rejects.toMatchObject({ code: 'NotSupported' });
    await expect(
      fs.with('/file', (vnode) => fs.mount.link(fs.mount.root, 'other', vnode)),
    ).rejects.toMatchObject({ code: 'NotSupported' });
    for (const name of ['a:b', 'question?', 'back\\slash', 'tab\there', 'blank ', 'star*']) {
      await expect(fs.write(`/${name}`, pattern(1)), name).rejects.toMatchObject({ code: 'InvalidName' });
    }
    await expect(fs.write(`/${'n'.repeat(256)}`, pattern(1))).rejects.toMatchObject({ code: 'NameTooLong' });
    await fs.write(`/${'ü'.repeat(255)}`, pattern(1));
    const change = (wishes: object): Promise<void> =>
      fs.with('/file', (vnode) => fs.mount.setAttributes(vnode, wishes));
    await expect(change({ uid: 1000 })).rejects.toMatchObject({ code: 'NotPermitted' });
    await expect(change({ permissions: 0o600 })).rejects.toMatchObject({ code: 'NotPermitted' });
    await change({ permissions: 0o444, uid: 0 });
    expect(await fs.with('/file', (vnode) => fs.mount.attributes(vnode).permissions)).toBe(0o444);
    await expect(fs.with('/file', (vnode) => fs.mount.truncate(vnode, 2 ** 32))).rejects.toMatchObject({
      code: 'FileTooLarge',
    });
    await expect(fs.with('/file', (vnode) => fs.mount.truncate(vnode, 2 ** 31))).rejects.toMatchObject({
      code: 'NoSpace',
    });
    expect(await mistakes(await fs.end())).toBe('');
  });

  test('times are those of the zone, with the summer time of their own date', async () => {
    const january = Date.UTC(2026, 0, 15, 12, 0, 0);
    const july = Date.UTC(2026, 6, 15, 12, 0, 0);
    for (const [zone, winterHour, summerHour] of [
      ['UTC', 12, 12],
      ['Europe/Berlin', 13, 14],
      ['America/New_York', 7, 8],
    ] as const) {
      const fs = await startFat(workshop.make(FAT16), {}, zone);
      for (const [path, modifiedMs] of [
        ['/winter', january],
        ['/summer', july],
      ] as const) {
        await fs.write(path, pattern(1));
        await fs.with(path, (vnode) => fs.mount.setAttributes(vnode, { modifiedMs: modifiedMs + 1999 }));
        const read = await fs.with(path, (vnode) => fs.mount.attributes(vnode).modifiedMs);
        expect(read, `${zone} ${path}`).toBe(modifiedMs);
      }
      // mtools shows what the entry says, in whatever zone.
      const listing = workshop.mtoolsOutput(await fs.end(), 'mdir', '::');
      expect(listing).toMatch(new RegExp(`^winter .* 2026-01-15 +${winterHour}:00`, 'm'));
      expect(listing).toMatch(new RegExp(`^summer .* 2026-07-15 +${summerHour}:00`, 'm'));
    }
    await expect(startFat(workshop.make(FAT16), {}, 'Nowhere/City')).rejects.toMatchObject({
      code: 'InvalidArgument',
    });
  });

  test('both copies of the table, the counts and the marks of use are right at every moment that is synced', async () => {
    const forms = [FAT12, FAT16, { sizeBytes: 4 << 20, args: ['-F', '32', '-s', '1'] }];
    for (const form of forms) {
      const fs = await startFat(workshop.make(form), { volatile: true });
      await fs.write('/file', pattern(40_000));
      await fs.mount.sync();
      const inUse = fs.hypercalls.crash(() => 1);
      expect((await checkFileSystem(new MemoryHypercalls(inUse).bio, 'auto')).findings).toEqual([
        { kind: 'harmless', text: 'volume: was not unmounted cleanly' },
      ]);
      const again = await startFat(inUse);
      expect(again.hypercalls.lines).toEqual([
        'msdos: was not unmounted cleanly, a file system check is recommended',
      ]);
      await again.end();
      expect(await mistakes(await fs.end())).toBe('');
    }
  });

  test('a file that is open without a name keeps its contents, and its clusters come back', async () => {
    const fs = await startFat(workshop.make(FAT16));
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

  test('a file that moved is still itself, and a new one at its old place is another', async () => {
    const fs = await startFat(workshop.make(FAT16));
    await fs.mkdir('/x');
    await fs.write('/one', pattern(3000, 1));
    await fs.with('/one', async (vnode) => {
      await fs.rename('/one', '/x/two');
      await fs.write('/one', pattern(3000, 2));
      await fs.with('/one', (other) => expect(other.id).not.toBe(vnode.id));
      await fs.mount.write(vnode, 0, pattern(10, 3));
      await fs.with('/x/two', (same_) => expect(same_).toBe(vnode));
    });
    expect(same(await fs.contents('/one'), pattern(3000, 2))).toBe(true);
    expect(same((await fs.contents('/x/two')).subarray(0, 10), pattern(10, 3))).toBe(true);
    await fs.rename('/x', '/y');
    expect(await mistakes(await fs.end())).toBe('');
  });

  test('a directory has the same size when it is made, when it is used, and after a remount', async () => {
    const fs = await startFat(workshop.make({ sizeBytes: 4 << 20, args: ['-F', '12', '-s', '8'] }));
    const size = (mounted: Mounted): Promise<number> =>
      mounted.with('/directory', (vnode) => mounted.mount.attributes(vnode).sizeBytes);
    await fs.mkdir('/directory');
    expect(await size(fs)).toBe(4096);
    await fs.write('/directory/file', pattern(1));
    expect(await size(fs)).toBe(4096);
    const again = await startFat(await fs.end());
    expect(await size(again)).toBe(4096);
    await again.end();
  });

  test('a full device takes what fits and stays whole', async () => {
    const fs = await startFat(workshop.make(FAT12));
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
    for (const [index, length] of written.entries()) {
      expect(same(await fs.contents(`/file${index}`), pattern(150_000, index).subarray(0, length))).toBe(
        true,
      );
    }
    await fs.unlink('/file1');
    await fs.mkdir('/directory');
    for (let index = 0; index < 200; index += 1) await fs.write(`/directory/${index}`, new Uint8Array(0));
    const filled = async (): Promise<void> => {
      for (let index = 0; index < 200; index += 1) await fs.write(`/root${index}`, new Uint8Array(0));
    };
    await expect(filled()).rejects.toMatchObject({
      code: 'NoSpace',
      message: expect.stringContaining('root directory'),
    });
    expect(await mistakes(await fs.end())).toBe('');
  });
});

/**
 * FFS with a log of WAPBL: as mkfs makes it, as it is used, and what is in it after a crash. The
 * replay and the checker are written apart from what writes the log.
 */
import { describe, expect, test } from 'vitest';
import { repairFileSystem } from '../src/file-systems.ts';
import { JOURNALLED_FORMS, journalled, type JournalledForm } from './ffs-journalled.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { findingsAfterReplay, ourFindings } from './our-check.ts';

const fresh = (form: JournalledForm, sizeBytes = 4 << 20): Promise<Uint8Array> => journalled(form, sizeBytes);

async function exercise(fs: Mounted): Promise<void> {
  await fs.mkdir('/d');
  await fs.write('/d/file', pattern(300_000, 3));
  for (let index = 0; index < 60; index += 1) await fs.write(`/d/name-${index}`, pattern(index * 40, index));
  await fs.mount.sync();
  for (let index = 0; index < 30; index += 1) await fs.unlink(`/d/name-${index}`);
  await fs.rename('/d/name-40', '/moved');
  await fs.mkdir('/d/e');
  await fs.symlink('/link', 'd/file');
}

async function expectContents(fs: Mounted): Promise<void> {
  expect(same(await fs.contents('/d/file'), pattern(300_000, 3))).toBe(true);
  expect(await fs.list('/')).toEqual(['d', 'link', 'moved']);
  expect(await fs.list('/d')).toHaveLength(31);
  expect(same(await fs.contents('/d/name-50'), pattern(2000, 50))).toBe(true);
}

describe('a log of WAPBL in use', () => {
  for (const form of JOURNALLED_FORMS) {
    const title = `UFS${form.version}, ${form.order} endian, log ${form.journal}`;
    test(`${title}: made, used, left clean`, async () => {
      const image = await fresh(form);
      expect(await ourFindings(image, 'ffs')).toBe('');
      const fs = await Mounted.start(image, {}, true, 'ffs');
      await exercise(fs);
      await expectContents(fs);
      await fs.end();
      expect(fs.hypercalls.lines).toEqual([]);
      expect(await ourFindings(image, 'ffs')).toBe('');
      const again = await Mounted.start(image, {}, true, 'ffs');
      await expectContents(again);
      await again.end();
    });

    test(`${title}: not unmounted, it is replayed`, async () => {
      const image = await fresh(form);
      const fs = await Mounted.start(image, {}, true, 'ffs');
      await exercise(fs);
      await fs.mount.sync();
      const crashed = image.slice();
      await fs.end();
      const again = await Mounted.start(crashed, {}, true, 'ffs');
      expect(again.hypercalls.lines[0]).toMatch(/^ufs\d: \d+ records of the log were replayed$/);
      await expectContents(again);
      await again.end();
      expect(await ourFindings(crashed, 'ffs')).toBe('');
    });
  }

  const FORM: JournalledForm = { version: 2, order: 'little', journal: 'end', blockBytes: 4096 };
  const SMALL: JournalledForm = { ...FORM, journalBytes: 45 * 4096 };
  const MEMORY = { memoryBytes: 1 << 20 };

  test('a file without a name that is open when the power fails is freed by the next mount', async () => {
    const image = await fresh(FORM);
    const fs = await Mounted.start(image, {}, true, 'ffs');
    const free = fs.mount.statistics();
    await fs.write('/held', pattern(700_000));
    await fs.mkdir('/gone');
    const held = await fs.mount.lookup(fs.mount.root, 'held');
    const gone = await fs.mount.lookup(fs.mount.root, 'gone');
    await fs.mount.sync();
    await fs.unlink('/held');
    await fs.rmdir('/gone');
    await fs.mount.sync();
    const crashed = image.slice();
    expect(await ourFindings(crashed, 'ffs')).toMatch(/^harmless: log of WAPBL: 2 inodes wait to be freed$/m);
    expect(await findingsAfterReplay(crashed, 'ffs')).toBe('');
    await fs.mount.release(held);
    await fs.mount.release(gone);
    await fs.end();
    // The power fails again after the replay, before they are freed: the list is still there.
    let writes = 0;
    const fault = (operation: string): string | undefined =>
      operation === 'sync' && (writes += 1) > 2 ? 'no power' : undefined;
    const again = crashed.slice();
    await Mounted.start(again, { fault }, true, 'ffs').catch(() => undefined);
    expect(await ourFindings(again, 'ffs')).toMatch(/2 inodes wait to be freed/);
    for (const device of [crashed, again]) {
      const after = await Mounted.start(device, {}, true, 'ffs');
      expect(after.hypercalls.lines).toContain('ufs2: 2 files without a name were freed');
      await after.mount.sync();
      expect(after.mount.statistics()).toMatchObject({
        blocksFree: free.blocksFree,
        nodesFree: free.nodesFree,
      });
      await after.end();
      expect(await ourFindings(device, 'ffs')).toBe('');
    }
  });

  test('what is longer than a transaction is written, cut and freed in several', async () => {
    const image = await fresh(SMALL, 8 << 20);
    const fs = await Mounted.start(image, MEMORY, true, 'ffs');
    await fs.write('/long', pattern(5_000_000, 5));
    expect(same(await fs.contents('/long'), pattern(5_000_000, 5))).toBe(true);
    await fs.with('/long', (vnode) => fs.mount.truncate(vnode, 12_345));
    expect(same(await fs.contents('/long'), pattern(5_000_000, 5).subarray(0, 12_345))).toBe(true);
    // Holes of many blocks cost nothing when they are cut.
    await fs.with('/long', (vnode) => fs.mount.write(vnode, 1 << 30, pattern(100)));
    await fs.with('/long', (vnode) => fs.mount.truncate(vnode, (1 << 30) - 70_000));
    await fs.mount.sync();
    await fs.unlink('/long');
    await fs.end();
    expect(fs.hypercalls.lines).toEqual([]);
    expect(await ourFindings(image, 'ffs')).toBe('');
  });

  test('what was freed just now has room for what is written next', async () => {
    const image = await fresh(FORM, 2 << 20);
    const fs = await Mounted.start(image, {}, true, 'ffs');
    const { blocksFree, blockSizeBytes } = fs.mount.statistics();
    const most = Math.floor((blocksFree * blockSizeBytes * 0.8) / 4096) * 4096;
    for (let round = 0; round < 3; round += 1) {
      await fs.write('/large', pattern(most, round));
      expect(same(await fs.contents('/large'), pattern(most, round))).toBe(true);
      await fs.unlink('/large');
    }
    await fs.end();
    expect(await ourFindings(image, 'ffs')).toBe('');
  });

  test('many transactions: the log goes round, and is never full', async () => {
    const image = await fresh(SMALL);
    const fs = await Mounted.start(image, MEMORY, true, 'ffs');
    for (let round = 0; round < 60; round += 1) {
      await fs.write(`/name-${round}`, pattern(2000, round));
      if (round > 5) await fs.unlink(`/name-${round - 5}`);
      await fs.mount.sync();
      if (round % 7 === 0) expect(await findingsAfterReplay(image.slice(), 'ffs')).toBe('');
    }
    const crashed = image.slice();
    await fs.end();
    const again = await Mounted.start(crashed, MEMORY, true, 'ffs');
    expect(same(await again.contents('/name-58'), pattern(2000, 58))).toBe(true);
    await again.end();
    expect(await ourFindings(crashed, 'ffs')).toBe('');
  });

  test('a log that cannot be used is told, and left alone', async () => {
    const tiny = await fresh({ ...FORM, journalBytes: 64 << 10 });
    const fs = await Mounted.start(tiny, {}, true, 'ffs');
    await exercise(fs);
    await fs.end();
    expect(fs.hypercalls.lines).toEqual(['ufs2: its log is not used: it is too small']);
    const image = await fresh(FORM);
    const poor = await Mounted.start(image, { memoryBytes: 100 << 10 }, true, 'ffs');
    await exercise(poor);
    await poor.end();
    expect(poor.hypercalls.lines).toEqual(['ufs2: its log is not used: memory is too small']);
    for (const done of [tiny, image]) expect(await ourFindings(done, 'ffs')).toBe('');
  });

  test('a log that was not in use does not count, whatever it has', async () => {
    const image = await fresh(FORM);
    const fs = await Mounted.start(image, {}, true, 'ffs');
    await exercise(fs);
    await fs.end();
    const log = Number(new DataView(image.buffer).getBigInt64(65_536 + 872, true)) * 512;
    image.fill(0xee, log, log + 4096);
    const again = await Mounted.start(image, {}, true, 'ffs');
    await expectContents(again);
    await again.write('/more', pattern(10));
    await again.end();
    expect(again.hypercalls.lines).toEqual([]);
    expect(await ourFindings(image, 'ffs')).toBe('');
  });

  test('a log that is not in its file is found, and a repair lets go of it', async () => {
    const image = await fresh({ ...FORM, journal: 'inside' });
    const view = new DataView(image.buffer);
    view.setBigInt64(65_536 + 872, view.getBigInt64(65_536 + 872, true) + 8n, true);
    expect(await ourFindings(image, 'ffs')).toMatch(
      /^damage: log of WAPBL: inode 3 is no file with 409600 bytes at byte \d+$/m,
    );
    const { after } = await repairFileSystem(new MemoryHypercalls(image).bio, 'ffs');
    expect(after.findings).toEqual([]);
    const fs = await Mounted.start(image, {}, true, 'ffs');
    await exercise(fs);
    await fs.end();
    expect(await ourFindings(image, 'ffs')).toBe('');
  });

  test('a broken log is found, and given up by a repair', async () => {
    const image = await fresh(FORM);
    const fs = await Mounted.start(image, {}, true, 'ffs');
    await exercise(fs);
    await fs.mount.sync();
    const crashed = image.slice();
    await fs.end();
    const log = Number(new DataView(crashed.buffer).getBigInt64(65_536 + 872, true)) * 512;
    new DataView(crashed.buffer).setUint32(log + 1024, 0x1234, true);
    expect(await ourFindings(crashed, 'ffs')).toBe(
      'damage: log of WAPBL: record at byte 1024: type 0x1234; nothing else was looked at',
    );
    const { after } = await repairFileSystem(new MemoryHypercalls(crashed).bio, 'ffs');
    expect(after.findings).toEqual([]);
    const again = await Mounted.start(crashed, {}, true, 'ffs');
    expect(again.mount.writeable).toBe(true);
    await again.end();
  });
});

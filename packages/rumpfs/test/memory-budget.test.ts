/**
 * Every budget of memory, from nothing on: a mount refuses it with a word for it, or works, with all
 * contents right and the file system whole.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FsError } from '../src/errors.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { ExfatWorkshop, missingExfatTools } from './exfat-tools.ts';
import { FatWorkshop, missingFatTools } from './fat-tools.ts';
import { IsoWorkshop, missingIsoTools } from './iso-tools.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { findingsAfterReplay, ourFindings } from './our-check.ts';

/** Tries budgets in steps, and then twice the least that is enough. */
async function tryBudgets(
  image: Uint8Array,
  type: string,
  stepBytes: number,
  use: (fs: Mounted) => Promise<void>,
): Promise<void> {
  let least = 0;
  for (let memoryBytes = 0; least === 0; memoryBytes += stepBytes) {
    expect(memoryBytes, 'this should be enough').toBeLessThan(4 << 20);
    const copy = image.slice();
    let fs: Mounted;
    try {
      fs = await Mounted.start(copy, { memoryBytes }, true, type);
    } catch (error) {
      expect(error, `${memoryBytes} bytes`).toMatchObject({ code: 'NoMemory' });
      expect(same(copy, image)).toBe(true);
      continue;
    }
    least = memoryBytes;
    await use(fs);
  }
  await use(await Mounted.start(image.slice(), { memoryBytes: least * 2 }, true, type));
}

/** Works with little memory: what fails does so with an FsError, and the rest is right. */
async function work(fs: Mounted, type: string): Promise<void> {
  let failed = 0;
  const contents = new Map<string, Uint8Array>();
  for (let index = 0; index < 40; index += 1) {
    const path = `/name ${index}`;
    try {
      await fs.write(path, pattern(index * 700, index));
      contents.set(path, pattern(index * 700, index));
    } catch (error) {
      expect(error).toBeInstanceOf(FsError);
      failed += 1;
      await fs.unlink(path).catch(() => undefined);
    }
  }
  expect(failed).toBeLessThan(20);
  for (const [path, bytes] of contents) expect(same(await fs.contents(path), bytes), path).toBe(true);
  const image = await fs.end();
  expect(type === 'ext2' ? await findingsAfterReplay(image) : await ourFindings(image, type)).toBe('');
}

test.skipIf(missingTools !== undefined)('ext', async () => {
  const workshop = new Workshop();
  for (const args of [
    ['-b', '1024'],
    ['-b', '1024', '-t', 'ext4'],
    ['-b', '4096', '-t', 'ext4'],
  ]) {
    const image = workshop.make('8M', ['-N', '128', ...args]);
    await tryBudgets(image, 'ext2', 32 << 10, (fs) => work(fs, 'ext2'));
  }
  workshop.dispose();
});

test.skipIf(missingFatTools !== undefined)('msdos', async () => {
  const workshop = new FatWorkshop();
  for (const args of [
    ['-F', '12', '-s', '8'],
    ['-F', '32', '-s', '1'],
  ]) {
    const image = workshop.make({ sizeBytes: 4 << 20, args });
    await tryBudgets(image, 'msdos', 4 << 10, (fs) => work(fs, 'msdos'));
  }
  workshop.dispose();
});

test.skipIf(missingExfatTools !== undefined)('exfat', async () => {
  const workshop = new ExfatWorkshop();
  for (const args of [
    ['-c', '4K', '-b', '64K'],
    ['-c', '512', '-b', '64K'],
  ]) {
    const image = workshop.make({ sizeBytes: 4 << 20, args });
    await tryBudgets(image, 'exfat', 4 << 10, (fs) => work(fs, 'exfat'));
  }
  workshop.dispose();
});

test.skipIf(missingIsoTools !== undefined)('cd9660', async () => {
  const workshop = new IsoWorkshop();
  const tree = workshop.tree();
  for (let index = 0; index < 40; index += 1)
    writeFileSync(join(tree, `f${index}`), pattern(index * 700, index));
  await tryBudgets(workshop.make(['-R'], tree), 'cd9660', 2 << 10, async (fs) => {
    for (let index = 0; index < 40; index += 1)
      expect(same(await fs.contents(`/f${index}`), pattern(index * 700, index))).toBe(true);
    await fs.end();
  });
  workshop.dispose();
});

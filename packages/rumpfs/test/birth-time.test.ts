/** The time when a node was made, in the formats that have it: written by us, and by other tools. */
import { afterAll, describe, expect, test } from 'vitest';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { journalled, plainFfs } from './ffs-journalled.ts';
import { Mounted, pattern } from './mounting.ts';

/** The times of a file that was made, and changed later; also after it was mounted again. */
async function expectBorn(image: Uint8Array, type: string): Promise<void> {
  const fs = await Mounted.start(image, {}, true, type);
  await fs.write('/file', pattern(10));
  const made = await fs.with('/file', (vnode) => fs.mount.attributes(vnode));
  await fs.with('/file', (vnode) => fs.mount.write(vnode, 5, pattern(9000)));
  const changed = await fs.with('/file', (vnode) => fs.mount.attributes(vnode));
  expect(changed.changedMs).toBeGreaterThan(made.changedMs);
  expect(changed.bornMs).toBe(made.bornMs);
  expect(made.bornMs).toBeGreaterThan(1_700_000_000_000);
  expect(made.bornMs).toBeLessThanOrEqual(made.changedMs);
  await fs.end();
  const again = await Mounted.start(image, {}, false, type);
  const kept = await again.with('/file', (vnode) => again.mount.attributes(vnode));
  expect(kept.bornMs).toBe(made.bornMs);
  await again.end();
}

describe('the time of birth', () => {
  const FORM = { order: 'big', journal: 'end', blockBytes: 4096 } as const;

  test('UFS2, with a log and without', async () => {
    await expectBorn(await plainFfs({ ...FORM, version: 2 }, 2 << 20), 'ffs');
    await expectBorn(await journalled({ ...FORM, version: 2 }, 2 << 20), 'ffs');
  });

  test('UFS1 has none', async () => {
    const fs = await Mounted.start(await plainFfs({ ...FORM, version: 1 }, 2 << 20), {}, true, 'ffs');
    await fs.write('/file', pattern(10));
    expect(await fs.with('/file', (vnode) => fs.mount.attributes(vnode).bornMs)).toBeUndefined();
    await fs.end();
  });
});

describe.skipIf(missingTools)(`the time of birth of ext ${missingTools ?? ''}`, () => {
  const workshop = new Workshop();
  afterAll(() => workshop.dispose());

  test('ext4, as debugfs shows it; ext2 with small inodes has none', async () => {
    const image = workshop.make('4M', ['-t', 'ext4']);
    await expectBorn(image, 'ext4');
    const fs = await Mounted.start(image, {}, false, 'ext4');
    const { bornMs } = await fs.with('/file', (vnode) => fs.mount.attributes(vnode));
    await fs.end();
    const shown = new TextDecoder().decode(workshop.debug(image, 'stat /file'));
    const seconds = Number.parseInt(/crtime: 0x([0-9a-f]+):/.exec(shown)?.[1] ?? '', 16);
    expect(Math.floor((bornMs ?? 0) / 1000)).toBe(seconds);
    const small = workshop.make('2M', ['-t', 'ext2', '-I', '128'], { file: 'x' });
    const old = await Mounted.start(small, {}, false, 'ext2');
    expect(await old.with('/file', (vnode) => old.mount.attributes(vnode).bornMs)).toBeUndefined();
    await old.end();
  });
});

/**
 * The removal of a file in many pieces, which takes several transactions of the journal when a sync
 * comes in between: cut at any write, what is left is clean after a replay.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { mountFileSystem } from '../src/file-systems.ts';
import { CrashStates, RecordedDisk } from './crash/recorded-disk.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { Mounted, pattern } from './mounting.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingTools)(`ext4 while a long file is removed ${missingTools ?? ''}`, () => {
  test('cut at any write, no block and no inode is lost', { timeout: 120_000 }, async (context) => {
    skipIfLong(context);
    const fs = await Mounted.start(workshop.make('6M', ['-t', 'ext4', '-b', '1024', '-N', '64']));
    await fs.write('/long', new Uint8Array(0));
    await fs.with('/long', async (vnode) => {
      for (let index = 0; index < 400; index += 1)
        await fs.mount.write(vnode, index * 3072, pattern(1024, index));
    });
    const disk = new RecordedDisk(await fs.end(), 4 << 20, 5);
    const mount = await mountFileSystem(disk, 'ext4', { writeable: true });
    await mount.release(await mount.createFile(mount.root, 'first'));
    const removed = mount.unlink(mount.root, 'long');
    const syncs: Promise<void>[] = [];
    for (let turn = 0; turn < 60; turn += 1) {
      if (turn % 3 === 0) syncs.push(mount.sync());
      for (let left = 0; left < 12; left += 1) await Promise.resolve();
    }
    await Promise.all([removed, ...syncs]);
    await mount.unmount();
    const states = new CrashStates(disk, 1024);
    const image = disk.base.slice();
    let order = 0;
    for (let end = 0; end <= disk.events.length; end += 1) {
      if (disk.events[end]?.kind !== 'sync' && end % 6 !== 0) continue;
      states.at(
        image,
        end,
        () => true,
        () => (order += 1),
      );
      expect(workshop.checkReplayed(image.slice()), `before event ${end} of ${disk.events.length}`).toBe('');
    }
    expect(workshop.check(disk.base.slice())).toBe('');
  });
});

import { afterAll, describe, expect, test } from 'vitest';
import { FsError } from '../src/errors.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingTools)(`ext2 on a failing device ${missingTools ?? ''}`, () => {
  const make = (): Uint8Array =>
    workshop.make('8M', ['-b', '1024', '-N', '512'], { file: pattern(100_000), other: pattern(2000) });

  test('a sector that cannot be read fails the operations that need it, and no others', async () => {
    const image = make();
    const blocks = new TextDecoder()
      .decode(workshop.debug(image, 'blocks file'))
      .trim()
      .split(/\s+/)
      .map(Number);
    const bad = (blocks[5] ?? 0) * 2;
    const fs = await Mounted.start(image, {
      fault: (operation, sector, count) =>
        operation === 'read' && sector <= bad && bad < sector + count ? 'bad sector' : undefined,
    });
    await expect(fs.contents('/file')).rejects.toMatchObject({
      code: 'InputOutput',
      message: expect.stringMatching(/^block \d+ cannot be read: bad sector$/),
    });
    expect(await fs.list('/')).toContain('other');
    await fs.end();
  });

  test('a sync that comes during unmounting writes nothing beside it or after it', async () => {
    for (let shuffleSeed = 1; shuffleSeed <= 20; shuffleSeed++) {
      let ended = false;
      const fs = await Mounted.start(make(), {
        shuffleSeed,
        fault: (operation) => (ended && operation !== 'read' ? 'the device is closed' : undefined),
      });
      await fs.write('/first', pattern(5000));
      const syncs = [fs.mount.sync()];
      const unmounted = fs.mount.unmount();
      // The sync begins at any moment, as one started by a timer would.
      for (let turn = 0; turn < 40; turn++) {
        syncs.push(fs.mount.sync());
        await new Promise((resolve) => setImmediate(resolve));
      }
      await unmounted;
      ended = true;
      syncs.push(fs.mount.sync());
      await Promise.all(syncs);
      expect(workshop.check(fs.hypercalls.bytes)).toBe('');
    }
  });

  test('a block that cannot be written back is reported by sync, and is written once the device recovers', async () => {
    let broken = false;
    const fs = await Mounted.start(make(), {
      fault: (operation) => (broken && operation === 'write' ? 'gone' : undefined),
    });
    await fs.write('/first', pattern(5000));
    await fs.mount.sync();
    broken = true;
    await fs.write('/second', pattern(5000, 2));
    await expect(fs.mount.sync()).rejects.toMatchObject({
      code: 'InputOutput',
      message: expect.stringContaining('gone'),
    });
    await expect(fs.mount.sync()).rejects.toMatchObject({ code: 'InputOutput' });
    expect(same(await fs.contents('/second'), pattern(5000, 2))).toBe(true);
    await expect(fs.mount.unmount()).rejects.toMatchObject({ code: 'InputOutput' });
    broken = false;
    const image = await fs.end();
    expect(workshop.check(image)).toBe('');
    expect(same(workshop.dump(image, '/second'), pattern(5000, 2))).toBe(true);
  });

  test('when every buffer is dirty and the device takes no writes, operations fail instead of hanging', async () => {
    let broken = false;
    const fs = await Mounted.start(make(), {
      memoryBytes: 64 * 1024,
      fault: (operation) => (broken && operation === 'write' ? 'gone' : undefined),
    });
    await fs.write('/first', pattern(5000));
    broken = true;
    let failed = 0;
    for (let index = 0; index < 40; index += 1) {
      await fs.write(`/new-${index}`, pattern(7000)).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'InputOutput' });
        failed += 1;
      });
    }
    expect(failed).toBeGreaterThan(10);
    expect(fs.hypercalls.lines.filter((line) => line.includes('cannot be written')).length).toBe(1);
    broken = false;
    await fs.mount.sync();
    await fs.write('/after', pattern(7000));
    const image = await fs.end();
    expect(same(workshop.dump(image, '/after'), pattern(7000))).toBe(true);
    expect(same(workshop.dump(image, '/first'), pattern(5000))).toBe(true);
  });

  test('a failing sync of the device fails the sync of the mount', async () => {
    let broken = false;
    const fs = await Mounted.start(make(), {
      fault: (operation) => (broken && operation === 'sync' ? 'no flush' : undefined),
    });
    await fs.write('/first', pattern(5000));
    broken = true;
    await expect(fs.mount.sync()).rejects.toMatchObject({ code: 'InputOutput' });
    broken = false;
    await fs.mount.sync();
    expect(workshop.check(await fs.end())).toBe('');
  });

  test('with random failures every operation settles, and e2fsck can mend the result', {
    timeout: 120_000,
  }, async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = randomFrom(seed);
      let broken = false;
      const fs = await Mounted.start(make(), {
        memoryBytes: 96 * 1024,
        shuffleSeed: seed,
        fault: () => (broken && random() < 0.1 ? 'flaky' : undefined),
      });
      await fs.mkdir('/dir');
      broken = true;
      const tasks = Array.from({ length: 200 }, async () => {
        const path = `/dir/${Math.floor(random() * 20)}`;
        const choice = random();
        if (choice < 0.5) await fs.write(path, pattern(Math.floor(random() * 80_000)));
        else if (choice < 0.7) await fs.unlink(path);
        else if (choice < 0.8) await fs.rename(path, `${path}x`);
        else if (choice < 0.9) await fs.contents(path);
        else await fs.mount.sync();
      });
      for (const outcome of await Promise.allSettled(tasks)) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(FsError);
      }
      broken = false;
      const mended = workshop.mend(await fs.end(), ['-f', '-y']);
      expect(workshop.check(mended)).toBe('');
      expect(await ourFindings(mended, 'ext2')).toBe('');
    }
  });
});

import { afterAll, describe, expect, test } from 'vitest';
import { FsError } from '../src/errors.ts';
import { repairFileSystem } from '../src/file-systems.ts';
import { ExfatWorkshop, missingExfatTools } from './exfat-tools.ts';
import { MemoryHypercalls, type MemoryOptions, randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new ExfatWorkshop();
afterAll(() => workshop.dispose());

const SEEDS = 4;

describe.skipIf(missingExfatTools)(`an exFAT on a failing device ${missingExfatTools ?? ''}`, () => {
  const start = (image: Uint8Array, options: MemoryOptions): Promise<Mounted> =>
    Mounted.start(image, options, true, 'exfat');
  const make = async (): Promise<Uint8Array> => {
    const fs = await start(workshop.make({ sizeBytes: 3 << 20, args: ['-c', '512', '-b', '16K'] }), {});
    await fs.write('/file', pattern(100_000));
    await fs.write('/other', pattern(2000));
    return fs.end();
  };

  test('a sector that cannot be read fails the operations that need it, and no others', async () => {
    const image = await make();
    const bad = Buffer.from(image.buffer).indexOf(pattern(100_000).subarray(51_200, 51_264)) >> 9;
    const fs = await start(image, {
      fault: (operation, sector, count) =>
        operation === 'read' && sector <= bad && bad < sector + count ? 'bad sector' : undefined,
    });
    await expect(fs.contents('/file')).rejects.toMatchObject({
      code: 'InputOutput',
      message: expect.stringMatching(/^block \d+ cannot be read: bad sector$/),
    });
    expect(same(await fs.contents('/other'), pattern(2000))).toBe(true);
    await fs.write('/new', pattern(3000));
    expect(workshop.check(await fs.end())).toBe('');
  });

  test('what cannot be written back is reported by sync, and is written once the device recovers', async () => {
    let broken = false;
    const fs = await start(await make(), {
      fault: (operation) => (broken && operation !== 'read' ? 'gone' : undefined),
    });
    await fs.write('/first', pattern(5000));
    await fs.mount.sync();
    broken = true;
    await fs.write('/second', pattern(5000, 2)).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'InputOutput' });
    });
    await expect(fs.mount.sync()).rejects.toMatchObject({ code: 'InputOutput' });
    await expect(fs.mount.unmount()).rejects.toMatchObject({ code: 'InputOutput' });
    broken = false;
    await fs.mount.sync();
    const image = await fs.end();
    expect(workshop.check(image)).toBe('');
    expect(await ourFindings(image, 'exfat')).toBe('');
    const again = await start(image, {});
    expect(same(await again.contents('/first'), pattern(5000))).toBe(true);
    await again.end();
  });

  test('with random failures every operation settles, and nothing of others is lost', {
    timeout: 120_000,
  }, async () => {
    const whole = await make();
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const random = randomFrom(seed);
      let broken = false;
      const fs = await start(whole.slice(), {
        memoryBytes: 96 * 1024,
        shuffleSeed: seed,
        fault: () => (broken && random() < 0.1 ? 'flaky' : undefined),
      });
      await fs.mkdir('/dir');
      await fs.mount.sync();
      broken = true;
      const tasks = Array.from({ length: 150 }, async () => {
        const path = `/dir/name ${Math.floor(random() * 20)}`;
        const choice = random();
        if (choice < 0.5) await fs.write(path, pattern(Math.floor(random() * 20_000)));
        else if (choice < 0.7) await fs.unlink(path);
        else if (choice < 0.8) await fs.rename(path, `${path}x`);
        else if (choice < 0.9) await fs.contents(path);
        else await fs.mount.sync();
      });
      for (const outcome of await Promise.allSettled(tasks)) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(FsError);
      }
      broken = false;
      const left = await fs.end();
      const mended = workshop.mend(left.slice()).image;
      const repaired = left.slice();
      await repairFileSystem(new MemoryHypercalls(repaired).bio, 'exfat');
      for (const image of [mended, repaired]) {
        expect(workshop.check(image), `seed ${seed}`).toBe('');
        expect(await ourFindings(image, 'exfat'), `seed ${seed}`).toBe('');
        const again = await start(image, {});
        expect(same(await again.contents('/file'), pattern(100_000)), `seed ${seed}`).toBe(true);
        await again.end();
      }
    }
  });

  test('a device that refuses writes from the start is read-only, and no operation changes it', async () => {
    const image = await make();
    const before = image.slice();
    const fs = await start(image, { writeable: false });
    expect(fs.mount.writeable).toBe(false);
    expect(fs.hypercalls.lines).toEqual(['exfat: mounted read-only because the device is']);
    for (const action of [
      () => fs.write('/new', pattern(1)),
      () => fs.unlink('/file'),
      () => fs.mkdir('/dir'),
      () => fs.rename('/file', '/other'),
    ])
      await expect(action()).rejects.toMatchObject({ code: 'ReadOnly' });
    await fs.end();
    expect(same(image, before)).toBe(true);
  });
});

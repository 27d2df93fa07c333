import { afterAll, describe, expect, test } from 'vitest';
import { FsError } from '../src/errors.ts';
import { FatWorkshop, missingFatTools } from './fat-tools.ts';
import { type MemoryOptions, randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new FatWorkshop();
afterAll(() => workshop.dispose());

const FORMS = [
  { title: 'FAT12', sizeBytes: 700 << 10, args: ['-F', '12', '-s', '1'] },
  { title: 'FAT16', sizeBytes: 5 << 20, args: ['-F', '16', '-s', '1'] },
];

describe.skipIf(missingFatTools)(`a FAT on a failing device ${missingFatTools ?? ''}`, () => {
  const make = (form = FORMS[1]): Uint8Array =>
    workshop.make(form ?? { sizeBytes: 0, args: [] }, { file: pattern(100_000), other: pattern(2000) });
  const start = (image: Uint8Array, options: MemoryOptions): Promise<Mounted> =>
    Mounted.start(image, options, true, 'msdos');

  test('a sector that cannot be read fails the operations that need it, and no others', async () => {
    const image = make();
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
    const fs = await start(make(), {
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
    expect(await ourFindings(image, 'msdos')).toBe('');
    expect(same(workshop.contents(image, '/first'), pattern(5000))).toBe(true);
  });

  for (const form of FORMS) {
    test(`with random failures every operation settles, and nothing of others is lost: ${form.title}`, {
      timeout: 120_000,
    }, async () => {
      for (let seed = 1; seed <= 8; seed += 1) {
        const random = randomFrom(seed);
        let broken = false;
        const fs = await start(make(form), {
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
        const mended = workshop.mend(await fs.end());
        expect(workshop.check(mended), `seed ${seed}`).toBe('');
        expect(await ourFindings(mended, 'msdos'), `seed ${seed}`).toBe('');
        expect(same(workshop.contents(mended, '/file'), pattern(100_000)), `seed ${seed}`).toBe(true);
      }
    });
  }

  test('a device that refuses writes from the start is read-only, and no operation changes it', async () => {
    const image = make();
    const before = image.slice();
    const fs = await start(image, { writeable: false });
    expect(fs.mount.writeable).toBe(false);
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

/**
 * What is written to an FFS: read back by sleuthkit (UFS1 in both byte orders) and grub (UFS1 and
 * UFS2 in little endian). UFS2 in big endian is read by nobody else here: our checker, which shares
 * no code with the driver, is its only judge.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { leftOut, skipIfLong } from '../../../test/harness/long.ts';
import { FsError } from '../src/errors.ts';
import { repairFileSystem } from '../src/file-systems.ts';
import {
  FFS_FORMS,
  type FfsForm,
  ffsForm,
  FfsWorkshop,
  missingGrub,
  missingMakefs,
  missingSleuthkit,
} from './ffs-tools.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new FfsWorkshop();
afterAll(() => workshop.dispose());

const start = (image: Uint8Array, options = {}): Promise<Mounted> =>
  Mounted.start(image, options, true, 'ffs');

/** Without this makefs makes no more inodes than the folder needs. */
const roomy = (form: FfsForm): FfsForm => ({ ...form, options: form.options ?? 'density=4096' });

/** The files that others are asked for: each costs a process. */
const judged = (files: ReadonlyMap<string, Uint8Array>): [string, Uint8Array][] =>
  [...files].filter(([path]) => !leftOut(true) || /long|one|two|file-\d{5,}/.test(path));

/** Files of all lengths, grown in small steps so that fragments move; what they hold, by path. */
async function populate(
  fs: Mounted,
  { blockBytes, fragmentBytes }: FfsForm,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await fs.mkdir('/directory');
  const sizes = [
    1,
    fragmentBytes,
    fragmentBytes + 1,
    blockBytes - 1,
    blockBytes,
    12 * blockBytes,
    30 * blockBytes + 7,
  ];
  for (const size of sizes) files.set(`/directory/file-${size}`, pattern(size, size & 0xff));
  if (blockBytes === 4096) files.set('/long', pattern(5_000_000, 4));
  for (const [path, bytes] of files) await fs.write(path, bytes);
  for (const name of ['one', 'two', 'three']) await fs.write(`/${name}`, new Uint8Array(0));
  // Three files that grow in turns are in each other's way.
  const step = Math.floor(fragmentBytes * 0.7);
  for (let round = 0; round < 40; round += 1) {
    for (const name of ['one', 'two', 'three'])
      await fs.with(`/${name}`, (vnode) => fs.mount.append(vnode, pattern(step, round)));
  }
  const grown = new Uint8Array(40 * step);
  for (let round = 0; round < 40; round += 1) grown.set(pattern(step, round), round * step);
  for (const name of ['one', 'two', 'three']) files.set(`/${name}`, grown);
  for (let index = 0; index < 60; index += 1)
    await fs.write(`/directory/${index}-${'n'.repeat(index * 3)}`, pattern(9));
  for (let index = 0; index < 60; index += 2) await fs.unlink(`/directory/${index}-${'n'.repeat(index * 3)}`);
  await fs.rename('/directory/file-1', '/moved');
  files.set('/moved', files.get('/directory/file-1') ?? new Uint8Array(0));
  files.delete('/directory/file-1');
  await fs.with('/two', (vnode) => fs.mount.truncate(vnode, fragmentBytes + 3));
  files.set('/two', grown.slice(0, fragmentBytes + 3));
  await fs.symlink('/short', 'one');
  await fs.symlink('/longer', `./${'x/../'.repeat(40)}one`);
  return files;
}

describe.skipIf(missingMakefs)(`FFS written ${missingMakefs ?? ''}`, () => {
  for (const form of FFS_FORMS) {
    test(`${form.title}: found again, by us and by others`, { timeout: 60_000 }, async (context) => {
      const usual =
        form.fragmentBytes === 512 ||
        (form.version === 2 && form.order === 'be' && form.blockBytes === 65_536);
      skipIfLong(context, !usual);
      const fs = await start(workshop.make(roomy(form)));
      const files = await populate(fs, form);
      const ids = new Map<string, number>();
      for (const path of files.keys()) ids.set(path, await fs.with(path, (vnode) => vnode.id));
      const image = await fs.end();
      expect(await ourFindings(image, 'ffs')).toBe('');
      const again = await start(image);
      for (const [path, bytes] of files) expect(same(await again.contents(path), bytes), path).toBe(true);
      await again.end();
      const saved = workshop.save(image);
      if (form.version === 1 && missingSleuthkit === undefined) {
        for (const [path, bytes] of judged(files))
          expect(same(workshop.icat(saved, ids.get(path) ?? 0), bytes), `icat ${path}`).toBe(true);
        const listed = new TextDecoder().decode(workshop.run('fls', ['-f', 'ufs', '-r', '-p', saved]));
        for (const path of files.keys())
          expect(listed).toContain(`r/r ${ids.get(path)}:\t${path.slice(1)}\n`);
        expect(listed).toMatch(/l\/l \d+:\tshort\n/);
      }
      if (form.order === 'le' && missingGrub === undefined) {
        for (const [path, bytes] of judged(files))
          expect(same(workshop.grub(saved, path), bytes), `grub ${path}`).toBe(true);
      }
    });
  }

  test('a hole of many gigabytes reaches the deepest pointers, and is given back', async () => {
    for (const version of [1, 2] as const) {
      const fs = await start(workshop.make(ffsForm(version, 'le', 4096)));
      const free = fs.mount.statistics().blocksFree;
      const far = 5 * 2 ** 30;
      await fs.write('/far', pattern(10));
      await fs.with('/far', async (vnode) => {
        await fs.mount.write(vnode, far, pattern(5000, 7));
        const into = new Uint8Array(5000);
        expect(await fs.mount.read(vnode, far, into)).toBe(5000);
        expect(same(into, pattern(5000, 7))).toBe(true);
        expect(await fs.mount.read(vnode, 2 ** 31, into)).toBe(5000);
        expect(into.every((byte) => byte === 0)).toBe(true);
      });
      const image = await fs.end();
      expect(await ourFindings(image, 'ffs')).toBe('');
      const again = await start(image);
      await again.unlink('/far');
      await again.mount.sync();
      expect(again.mount.statistics().blocksFree).toBe(free);
      expect(await ourFindings(await again.end(), 'ffs')).toBe('');
    }
  });

  test('a full device: what fits is written, and all of it can be used again', async () => {
    const form = { ...ffsForm(2, 'le', 4096), size: '1m' };
    const fs = await start(workshop.make(form));
    const free = fs.mount.statistics().blocksFree;
    const file = await fs.at('/big', (directory, name) => fs.mount.createFile(directory, name));
    const written = await fs.mount.write(file, 0, pattern(4 << 20));
    expect(written).toBeGreaterThan(free * 512 - 40_000);
    await expect(fs.mount.append(file, pattern(10_000))).rejects.toMatchObject({ code: 'NoSpace' });
    expect(fs.mount.attributes(file).sizeBytes).toBe(written);
    await fs.mount.release(file);
    await expect(fs.write('/other', pattern(5000))).rejects.toMatchObject({ code: 'NoSpace' });
    expect(same(await fs.contents('/big'), pattern(4 << 20).subarray(0, written))).toBe(true);
    await fs.unlink('/big');
    await fs.write('/again', pattern(100_000));
    const image = await fs.end();
    expect(await ourFindings(image, 'ffs')).toBe('');
  });

  test('directories of the root are spread over the groups, and files are near their directory', async () => {
    const form = ffsForm(2, 'le', 8192);
    const fs = await start(workshop.make(form));
    const image = fs.hypercalls.bytes;
    const perGroup = new DataView(image.buffer).getInt32(8192 + 184, true);
    const groups = new Set<number>();
    for (let index = 0; index < 20; index += 1) {
      await fs.mkdir(`/d${index}`);
      await fs.write(`/d${index}/file`, pattern(3000));
      const directory = await fs.with(`/d${index}`, (vnode) => vnode.id);
      const inner = await fs.with(`/d${index}/file`, (vnode) => vnode.id);
      groups.add(Math.floor(directory / perGroup));
      expect(Math.floor(inner / perGroup)).toBe(Math.floor(directory / perGroup));
    }
    expect(groups.size).toBeGreaterThan(15);
    expect(await ourFindings(await fs.end(), 'ffs')).toBe('');
  });

  test('a write that is read-only says why', async () => {
    const image = workshop.make(ffsForm(2, 'be', 4096));
    const view = new DataView(image.buffer);
    const cases: readonly (readonly [(bytes: DataView) => void, RegExp])[] = [
      [(bytes) => bytes.setUint8(8192 + 209, 0), /it was not unmounted cleanly/],
      [(bytes) => bytes.setUint32(8192 + 1312, 0x1), /it was not unmounted cleanly/],
      [(bytes) => bytes.setUint32(8192 + 1312, 0x8), /its journal of soft updates/],
      [(bytes) => bytes.setUint32(8192 + 1312, 0x200), /flag 0x200 \(quotas, or check hashes\)/],
      [(bytes) => bytes.setUint32(8192 + 1116, 77), /it has snapshots/],
    ];
    expect(view.getUint8(8192 + 209)).toBe(1);
    for (const [poke, line] of cases) {
      const changed = image.slice();
      poke(new DataView(changed.buffer));
      const fs = await start(changed);
      expect(fs.mount.writeable).toBe(false);
      expect(fs.hypercalls.lines.join('\n')).toMatch(line);
      await expect(fs.mkdir('/x')).rejects.toMatchObject({ code: 'ReadOnly' });
      await fs.end();
    }
  });

  test('soft updates: while it is in use, a complete check is asked for', async () => {
    const image = workshop.make(ffsForm(1, 'le', 4096));
    const view = new DataView(image.buffer);
    view.setUint32(8192 + 1312, 0x2, true);
    const fs = await start(image);
    await fs.mkdir('/x');
    expect(view.getUint8(8192 + 209)).toBe(0);
    expect(view.getUint32(8192 + 1312, true)).toBe(0x6);
    await fs.end();
    expect(view.getUint8(8192 + 209)).toBe(1);
    expect(view.getUint32(8192 + 1312, true)).toBe(0x2);
  });
});

describe.skipIf(missingMakefs)(`FFS on a failing device ${missingMakefs ?? ''}`, () => {
  test('what cannot be written is reported by sync, and is written once the device recovers', async () => {
    let broken = false;
    const fault = (operation: string): string | undefined =>
      broken && operation === 'write' ? 'gone' : undefined;
    const fs = await start(workshop.make(ffsForm(2, 'le', 4096)), { fault });
    await fs.write('/first', pattern(5000));
    await fs.mount.sync();
    broken = true;
    await fs.with('/first', (vnode) => fs.mount.write(vnode, 0, pattern(5000, 2)));
    await expect(fs.mount.sync()).rejects.toMatchObject({ code: 'InputOutput' });
    await expect(fs.mount.sync()).rejects.toMatchObject({ code: 'InputOutput' });
    broken = false;
    await fs.mount.sync();
    const image = await fs.end();
    expect(await ourFindings(image, 'ffs')).toBe('');
    const again = await start(image);
    expect(same(await again.contents('/first'), pattern(5000, 2))).toBe(true);
  });

  test('requests that fail now and then: nothing but errors, and a repair mends the rest', async () => {
    for (let seed = 1; seed <= (leftOut(true) ? 3 : 12); seed += 1) {
      let count = 0;
      const fault = (): string | undefined => ((count += 1) % (11 + seed) === 0 ? 'now and then' : undefined);
      const image = workshop.make(roomy(ffsForm(seed % 2 === 0 ? 1 : 2, seed % 3 === 0 ? 'be' : 'le', 4096)));
      const fs = await start(image, { fault, shuffleSeed: seed, memoryBytes: 128 * 1024 }).catch(
        () => undefined,
      );
      if (fs === undefined) continue;
      for (let index = 0; index < 40; index += 1) {
        try {
          await fs.write(`/${index}`, pattern(index * 900, index));
          if (index % 3 === 0) await fs.unlink(`/${index}`);
          if (index % 7 === 0) await fs.mount.sync();
        } catch (error) {
          expect(error).toBeInstanceOf(FsError);
        }
      }
      await fs.mount.unmount().catch(() => undefined);
      const { after } = await repairFileSystem(new MemoryHypercalls(image).bio, 'ffs');
      expect(after.findings, `seed ${seed}`).toEqual([]);
    }
  });
});

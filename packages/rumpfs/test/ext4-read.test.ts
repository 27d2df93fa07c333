import { createHash } from 'node:crypto';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { mountFileSystem } from '../src/file-systems.ts';
import type { MountOptions } from '../src/vnode/mount-options.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

const EXT4 = ['-t', 'ext4', '-b', '1024', '-N', '256'];

/** An image as a crash leaves it: its journal has to be replayed. */
async function crashed(): Promise<Uint8Array> {
  const fs = await Mounted.start(workshop.make('4M', EXT4, { old: 'old' }));
  await fs.mkdir('/directory');
  for (let index = 0; index < 40; index += 1) await fs.write(`/directory/${index}`, pattern(2000, index));
  await fs.mount.sync();
  await fs.unlink('/directory/0');
  await fs.mount.sync();
  return fs.hypercalls.bytes.slice();
}

function digest(image: Uint8Array): string {
  return createHash('sha256').update(image).digest('hex');
}

function mountOf(image: Uint8Array, options: MountOptions): Promise<Mounted> {
  const hypercalls = new MemoryHypercalls(image);
  return mountFileSystem(hypercalls, 'ext4', options).then((mount) => new Mounted(hypercalls, mount));
}

describe.skipIf(missingTools)(`ext4 is read ${missingTools ?? ''}`, () => {
  test('what stands in inodes (inline_data): files, directories and symbolic links of all lengths', async () => {
    const sizes = [0, 1, 59, 60, 61, 128, 129, 140, 156, 157, 5000];
    const folder = workshop.folderOf({
      ...Object.fromEntries(sizes.map((size) => [`file-${size}`, pattern(size, size)])),
      none: {},
      few: { a: 'A', b: 'B' },
      more: Object.fromEntries(Array.from({ length: 9 }, (_unused, index) => [`name-${index}`, 'x'])),
      inner: { deeper: { file: 'deep' } },
    });
    const targets = [1, 59, 60, 61, 100, 200].map((length) => 't'.repeat(length));
    for (const target of targets) symlinkSync(target, join(folder, `link-${target.length}`));
    const options = ['-I', '256', '-O', 'inline_data', '-d', folder];
    const fs = await Mounted.start(workshop.make('8M', [...EXT4, ...options]));
    expect(fs.hypercalls.lines).toEqual([]);
    for (const size of sizes)
      expect(same(await fs.contents(`/file-${size}`), pattern(size, size))).toBe(true);
    for (const target of targets) {
      const link = await fs.mount.lookup(fs.mount.root, `link-${target.length}`);
      expect(await fs.mount.readLink(link)).toBe(target);
      await fs.mount.release(link);
    }
    expect(await fs.list('/none')).toEqual([]);
    expect(await fs.list('/few', 1)).toEqual(['a', 'b']);
    expect(await fs.list('/more', 2)).toHaveLength(9);
    expect(new TextDecoder().decode(await fs.contents('/few/b'))).toBe('B');
    expect(new TextDecoder().decode(await fs.contents('/inner/deeper/../deeper/file'))).toBe('deep');
    await expect(fs.contents('/few/c')).rejects.toMatchObject({ code: 'NotFound' });
    await fs.end();
  });

  test('blocks that are allocated but not written read as zeros, and can be written', async () => {
    const made = workshop.edit(workshop.make('4M', EXT4, { file: '' }), ['fallocate file 10 59']);
    const sized = workshop.edit(made, ['set_inode_field file size 61440']);
    const fs = await Mounted.start(sized);
    const expected = new Uint8Array(61_440);
    expect(same(await fs.contents('/file'), expected)).toBe(true);
    for (const [offset, length] of [
      [20_000, 3000],
      [10_240, 100],
      [61_000, 440],
      [23_000, 5000],
    ] as const) {
      await fs.with('/file', (vnode) => fs.mount.write(vnode, offset, pattern(length, offset)));
      expected.set(pattern(length, offset), offset);
    }
    expect(same(await fs.contents('/file'), expected)).toBe(true);
    const image = await fs.end();
    expect(workshop.check(image)).toBe('');
    expect(same(workshop.dump(image, '/file'), expected)).toBe(true);
  });

  test('a file in a thousand pieces has a deep tree of extents, which shrinks again', async () => {
    const fs = await Mounted.start(workshop.make('8M', EXT4));
    const before = fs.mount.statistics();
    await fs.write('/sparse', new Uint8Array(0));
    await fs.with('/sparse', async (vnode) => {
      // First every fourth block from the end, then some between: nodes are split at both ends.
      for (let index = 900; index > 0; index -= 1)
        await fs.mount.write(vnode, index * 4096, pattern(1024, index));
      for (let index = 5; index < 900; index += 7)
        await fs.mount.write(vnode, index * 4096 + 2048, pattern(1024, index + 1));
      await fs.mount.sync();
      expect(workshop.checkReplayed(fs.hypercalls.bytes.slice())).toBe('');
      const bytes = new Uint8Array(4096);
      for (const index of [1, 5, 299, 450, 897, 898]) {
        await fs.mount.read(vnode, index * 4096, bytes);
        expect(same(bytes.subarray(0, 1024), pattern(1024, index)), `piece ${index}`).toBe(true);
        const between = index % 7 === 5 ? pattern(1024, index + 1) : new Uint8Array(1024);
        expect(same(bytes.subarray(2048, 3072), between), `behind piece ${index}`).toBe(true);
      }
      await fs.mount.truncate(vnode, 450 * 4096);
      await fs.mount.sync();
      expect(workshop.checkReplayed(fs.hypercalls.bytes.slice())).toBe('');
    });
    await fs.unlink('/sparse');
    expect(fs.mount.statistics()).toEqual(before);
    expect(workshop.check(await fs.end())).toBe('');
  });

  test('a wrong checksum fails what needs the structure, and is told with its place', async () => {
    const made = workshop.make('4M', EXT4, { directory: { inner: 'x' }, file: 'contents' });
    const block = Number(new TextDecoder().decode(workshop.debug(made, 'blocks directory')).trim());
    const damaged = made.slice();
    damaged[block * 1024 + 900] = 1;
    const fs = await Mounted.start(damaged, {}, false);
    await expect(fs.list('/directory')).rejects.toMatchObject({
      code: 'Corrupt',
      message: expect.stringMatching(/^ext4: inode \d+: directory block 0: wrong checksum$/),
    });
    expect(new TextDecoder().decode(await fs.contents('/file'))).toBe('contents');
    await fs.end();
    const view = new DataView(made.buffer);
    for (const [offset, message] of [
      [1024 + 120, /^ext4: superblock: checksum 0x[0-9a-f]+, not 0x[0-9a-f]+$/],
      [2048 + 12, /^ext4: group 0: descriptor with checksum 0x[0-9a-f]+, not 0x[0-9a-f]+$/],
      [view.getUint32(2048 + 8, true) * 1024 + 256 + 8, /^ext4: inode 2: wrong checksum, in block \d+$/],
    ] as const) {
      const changed = made.slice();
      changed[offset] = (changed[offset] ?? 0) ^ 1;
      await expect(Mounted.start(changed)).rejects.toMatchObject({
        code: 'Corrupt',
        message: expect.stringMatching(message),
      });
    }
  });

  test('a journal is replayed in memory by a read-only mount, which leaves the image as it is', async () => {
    const image = await crashed();
    const before = digest(image);
    const fs = await mountOf(image, { writeable: false });
    expect(fs.hypercalls.lines).toEqual(['ext4: 2 transactions of the journal were replayed in memory']);
    expect(await fs.list('/directory')).toHaveLength(39);
    expect(same(await fs.contents('/directory/7'), pattern(2000, 7))).toBe(true);
    await fs.end();
    expect(digest(image)).toBe(before);
  });

  test('a mount that may write replays the journal to the device', async () => {
    const image = await crashed();
    const fs = await mountOf(image, { writeable: true });
    expect(await fs.list('/directory')).toHaveLength(39);
    expect(workshop.check(image)).toBe('');
    await fs.end();
  });

  test('recovery says that a journal is not replayed: "refuse" and "ignore"', async () => {
    const image = await crashed();
    const before = digest(image);
    await expect(mountOf(image, { writeable: true, recovery: 'refuse' })).rejects.toMatchObject({
      code: 'NotSupported',
      message: 'ext4: the journal has to be replayed (needs_recovery)',
    });
    const fs = await mountOf(image, { writeable: true, recovery: 'ignore' });
    expect(fs.hypercalls.lines).toEqual([
      'ext4: mounted read-only because the journal has to be replayed, and recovery="ignore"',
    ]);
    await expect(fs.unlink('/old')).rejects.toMatchObject({ code: 'ReadOnly' });
    await fs.end();
    expect(digest(image)).toBe(before);
  });
});

import { afterAll, describe, expect, test } from 'vitest';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

describe.skipIf(missingTools)(`ext2 writes what e2fsck and debugfs accept ${missingTools ?? ''}`, () => {
  for (const blockSize of [1024, 2048, 4096]) {
    const make = (size = '24M'): Uint8Array => workshop.make(size, ['-b', String(blockSize), '-N', '4096']);
    const title = `${blockSize} bytes a block`;

    test(`${title}: files of many sizes come back through debugfs`, async () => {
      const fs = await Mounted.start(make());
      const sizes = [0, 1, 1023, 1024, 4096, 12 * blockSize, 12 * blockSize + 1, 700_000, 5_000_000];
      await fs.mkdir('/dir');
      for (const size of sizes) await fs.write(`/dir/file-${size}`, pattern(size, size));
      const image = await fs.end();
      expect(workshop.check(image)).toBe('');
      for (const size of sizes) {
        expect(same(workshop.dump(image, `/dir/file-${size}`), pattern(size, size)), `${size} bytes`).toBe(
          true,
        );
      }
      const again = await Mounted.start(image);
      for (const size of sizes)
        expect(same(await again.contents(`/dir/file-${size}`), pattern(size, size))).toBe(true);
      await again.end();
    });

    test(`${title}: sparse files to the deepest pointers, grown, cut and deleted`, async () => {
      const fs = await Mounted.start(make());
      const before = fs.mount.statistics();
      await fs.write('/sparse', new Uint8Array(0));
      await fs.with('/sparse', async (vnode) => {
        for (const offset of [0, 100_000, 3_000_000, 70_000_000, 1_000_000_000, 9_000_000_000]) {
          await fs.mount.write(vnode, offset, pattern(3000, offset));
        }
        expect(fs.mount.attributes(vnode).allocatedBytes).toBeLessThan(40 * 3 * blockSize);
        await fs.mount.sync();
        expect(workshop.check(fs.hypercalls.bytes)).toBe('');
        for (const size of [9_000_001_000, 8_999_999_999, 69_000_000, 3_000_500, 12 * blockSize, 10]) {
          await fs.mount.truncate(vnode, size);
          await fs.mount.sync();
          expect(workshop.check(fs.hypercalls.bytes), `cut to ${size}`).toBe('');
        }
        await fs.mount.truncate(vnode, 50_000);
        const bytes = new Uint8Array(50_000).fill(1);
        await fs.mount.read(vnode, 0, bytes);
        const expected = new Uint8Array(50_000);
        expected.set(pattern(10, 0));
        expect(same(bytes, expected)).toBe(true);
      });
      await fs.unlink('/sparse');
      expect(fs.mount.statistics()).toEqual(before);
      expect(workshop.check(await fs.end())).toBe('');
    });

    test(`${title}: files that grow side by side lie in one piece each`, async () => {
      const fs = await Mounted.start(make());
      const names = ['/a', '/b', '/c'];
      for (const name of names) await fs.write(name, new Uint8Array(0));
      const held = await Promise.all(names.map((name) => fs.with(name, (vnode) => fs.mount.hold(vnode))));
      for (let round = 0; round < 200; round += 1) {
        for (const vnode of held) await fs.mount.append(vnode, pattern(4096, round));
      }
      for (const vnode of held) await fs.mount.release(vnode);
      const image = await fs.end();
      expect(workshop.check(image)).toBe('');
      for (const name of names) {
        const blocks = text(workshop.debug(image, `blocks ${name}`))
          .trim()
          .split(/\s+/)
          .map(Number);
        const jumps = blocks.filter((block, index) => index > 0 && block !== (blocks[index - 1] ?? 0) + 1);
        expect(jumps.length, `pieces of ${name}`).toBeLessThan(12);
      }
    });

    test(`${title}: many names in one directory, with and without a hash tree`, async () => {
      const fs = await Mounted.start(make());
      await fs.mkdir('/many');
      const names = Array.from(
        { length: 1200 },
        (_unused, index) => `name-${index}-${'y'.repeat(index % 30)}`,
      );
      for (const name of names) await fs.write(`/many/${name}`, new Uint8Array(0));
      const image = await fs.end();
      expect(workshop.check(image)).toBe('');
      const indexed = workshop.mend(image, ['-f', '-y', '-D']);
      expect(text(workshop.debug(indexed, 'stat /many'))).toContain('Flags: 0x1000');
      const again = await Mounted.start(indexed);
      for (const name of names.slice(0, 600)) await again.unlink(`/many/${name}`);
      await again.mount.sync();
      expect(workshop.check(again.hypercalls.bytes), 'after removing from a hash tree').toBe('');
      for (const name of names.slice(0, 300)) await again.write(`/many/${name}-new`, new Uint8Array(0));
      const expected = names.slice(600).concat(names.slice(0, 300).map((name) => `${name}-new`));
      expect(await again.list('/many')).toEqual(expected.toSorted());
      const last = await again.end();
      expect(workshop.check(last), 'after adding to a hash tree').toBe('');
      // debugfs also shows the names in free records, with inode 0.
      const shown = text(workshop.debug(last, 'ls -p /many'))
        .split('\n')
        .map((line) => line.split('/'))
        .filter((fields) => fields[1] !== '0' && fields[5] !== undefined)
        .map((fields) => fields[5] ?? '');
      expect(shown.toSorted()).toEqual(expected.concat('.', '..').toSorted());
    });
  }

  const make = (): Uint8Array => workshop.make('4M', ['-b', '1024', '-N', '128'], { old: 'old contents' });

  test('an open file outlives its name, also as an orphan across a crash', async () => {
    const fs = await Mounted.start(make());
    const before = fs.mount.statistics();
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) await fs.write(`/${name}`, pattern(50_000));
    const [a, b, c, d] = await Promise.all(
      names.map((name) => fs.with(`/${name}`, (vnode) => fs.mount.hold(vnode))),
    );
    if (!a || !b || !c || !d) throw new Error('test: four files');
    for (const name of names) await fs.unlink(`/${name}`);
    await fs.mount.write(a, 50_000, pattern(10));
    expect(fs.mount.attributes(a)).toMatchObject({ links: 0, sizeBytes: 50_010 });
    await expect(fs.mount.link(fs.mount.root, 'e', a)).rejects.toMatchObject({ code: 'NotFound' });
    await expect(fs.mount.unmount()).rejects.toMatchObject({ code: 'Busy' });
    // The list has four orphans; this takes out one from its middle and its newest.
    await fs.mount.release(b);
    await fs.mount.release(d);
    await fs.mount.sync();
    const crashed = fs.hypercalls.bytes.slice();
    await fs.mount.release(a);
    await fs.mount.release(c);
    expect(fs.mount.statistics()).toEqual(before);
    expect(workshop.check(await fs.end())).toBe('');

    expect(workshop.check(workshop.mend(crashed, ['-p']))).toBe('');
    const again = await Mounted.start(crashed);
    expect(again.hypercalls.lines).toEqual([
      'ext2: was not unmounted cleanly, a file system check is recommended',
      'ext2: 2 files without a name were freed',
    ]);
    expect(again.mount.statistics()).toEqual(before);
    expect(workshop.check(await again.end())).toBe('');
  });

  test('the state flag is untouched until the first change, and clean again after unmounting', async () => {
    const image = make();
    const state = (bytes: Uint8Array): number => bytes[1024 + 58] ?? -1;
    const fs = await Mounted.start(image);
    await fs.contents('/old');
    expect(state(fs.hypercalls.bytes)).toBe(1);
    await fs.unlink('/old');
    expect(state(fs.hypercalls.bytes)).toBe(0);
    await fs.mount.sync();
    expect(state(fs.hypercalls.bytes)).toBe(0);
    expect(state(await fs.end())).toBe(1);
  });

  test('a full device gives short writes, then NoSpace, and has all its space back after deleting', async () => {
    const fs = await Mounted.start(make());
    const before = fs.mount.statistics();
    await fs.write('/full', new Uint8Array(0));
    const chunk = pattern(300_000);
    let size = 0;
    await fs.with('/full', async (vnode) => {
      for (let written = chunk.length; written === chunk.length; size += written) {
        written = await fs.mount.append(vnode, chunk);
      }
      expect(fs.mount.attributes(vnode).sizeBytes).toBe(size);
      await expect(fs.mount.append(vnode, chunk)).rejects.toMatchObject({ code: 'NoSpace' });
    });
    expect(fs.mount.statistics().blocksFree).toBe(0);
    await expect(fs.mkdir('/dir')).rejects.toMatchObject({ code: 'NoSpace' });
    await fs.mount.sync();
    expect(workshop.check(fs.hypercalls.bytes)).toBe('');
    expect((await fs.contents('/full')).length).toBe(size);
    await fs.unlink('/full');
    for (let index = 0; fs.mount.statistics().nodesFree > 0; index += 1)
      await fs.write(`/${index}`, new Uint8Array(0));
    await expect(fs.write('/one-more', chunk)).rejects.toMatchObject({ code: 'NoSpace' });
    for (const name of await fs.list('/')) if (/^\d+$/.test(name)) await fs.unlink(`/${name}`);
    // The root keeps the blocks that it grew by.
    expect(fs.mount.statistics()).toMatchObject({ nodesFree: before.nodesFree });
    expect(workshop.check(await fs.end())).toBe('');
  });

  test('freed blocks can be used at once by a write that needs them, though none is reused before it is durably free', async () => {
    const fs = await Mounted.start(make());
    const { blocksFree } = fs.mount.statistics();
    await fs.write('/old-1', pattern(2_000_000, 1));
    await fs.write('/old-2', pattern((blocksFree - 2100) * 1024, 2));
    await fs.mount.sync();
    const { blocksFree: left } = fs.mount.statistics();
    await fs.unlink('/old-1');
    await fs.with('/old-2', (vnode) => fs.mount.truncate(vnode, 500));
    expect(fs.mount.statistics().blocksFree - left).toBeGreaterThan(blocksFree - left - 16);
    const syncs = fs.hypercalls.requests.sync;
    await fs.write('/small', pattern(left * 512, 3));
    expect(fs.hypercalls.requests.sync, 'syncs while there is other space').toBe(syncs);
    // This is more than was free before: the write waits for the freed blocks and is not refused.
    await fs.write('/new', pattern(1_500_000, 4));
    expect(fs.hypercalls.requests.sync).toBeGreaterThan(syncs);
    await expect(fs.write('/too-large', pattern(blocksFree * 1024, 5))).resolves.toBeUndefined();
    await expect(fs.write('/none', pattern(1))).rejects.toMatchObject({ code: 'NoSpace' });
    const image = await fs.end();
    expect(workshop.check(image)).toBe('');
    expect(same(workshop.dump(image, '/new'), pattern(1_500_000, 4))).toBe(true);
  });

  test('the last inodes are used again as soon as they are free', async () => {
    const fs = await Mounted.start(make());
    await fs.mkdir('/many');
    let made = 0;
    for (; fs.mount.statistics().nodesFree > 0; made += 1) await fs.write(`/many/${made}`, new Uint8Array(0));
    await fs.mount.sync();
    for (let index = 0; index < made; index += 1) await fs.unlink(`/many/${index}`);
    expect(fs.mount.statistics().nodesFree).toBe(made);
    for (let index = 0; index < made; index += 1) await fs.write(`/many/new-${index}`, new Uint8Array(0));
    await expect(fs.write('/one-more', pattern(1))).rejects.toMatchObject({ code: 'NoSpace' });
    expect(workshop.check(await fs.end())).toBe('');
  });

  test('the newest file without a name is found after a crash', async () => {
    const fs = await Mounted.start(make());
    await fs.write('/file', pattern(50_000));
    await fs.mount.sync();
    const before = fs.mount.statistics();
    const held = await fs.with('/file', (vnode) => fs.mount.hold(vnode));
    await fs.unlink('/file');
    expect(fs.mount.statistics(), 'a file in use is not free').toEqual(before);
    await fs.mount.sync();
    const crashed = fs.hypercalls.bytes.slice();
    expect(new DataView(crashed.buffer).getUint32(1024 + 232, true), 'last orphan').toBe(held.id);
    expect(workshop.check(workshop.mend(crashed, ['-p']))).toBe('');
    const again = await Mounted.start(crashed);
    expect(again.hypercalls.lines).toContain('ext2: 1 files without a name were freed');
    expect(again.mount.statistics().nodesFree).toBe(before.nodesFree + 1);
    await again.end();
    await fs.mount.release(held);
    await fs.end();
  });

  test('a file that was never on the device is freed at once', async () => {
    const fs = await Mounted.start(make());
    await fs.mount.sync();
    await fs.write('/temporary', pattern(20_000));
    const { requests } = fs.hypercalls;
    const { write, sync } = requests;
    await fs.unlink('/temporary');
    await fs.mount.sync();
    // The contents of the deleted file are not written any more.
    expect(requests.write - write).toBeLessThan(8);
    expect(requests.sync - sync).toBeLessThan(4);
    expect(workshop.check(await fs.end())).toBe('');
  });

  test('a file of more than 2 GiB sets the large_file feature', async () => {
    const image = workshop.make('4M', ['-b', '1024', '-O', '^large_file']);
    const fs = await Mounted.start(image);
    await fs.write('/big', new Uint8Array(0));
    await fs.with('/big', (vnode) => fs.mount.truncate(vnode, 3 * 2 ** 30));
    await fs.with('/big', (vnode) =>
      expect(fs.mount.truncate(vnode, 2 ** 40)).rejects.toMatchObject({ code: 'FileTooLarge' }),
    );
    const done = await fs.end();
    expect(workshop.check(done)).toBe('');
    expect(text(workshop.debug(done, 'features'))).toContain('large_file');
    expect(text(workshop.debug(done, 'stat /big'))).toContain('Size: 3221225472');
  });

  test('a shared block of extended attributes is freed with its last file', async () => {
    const value = 'v'.repeat(300);
    const made = workshop.make('4M', ['-b', '1024', '-I', '128'], { one: '1', two: '2' });
    const single = workshop.edit(made, [`ea_set one user.key ${value}`]);
    const block = Number(/File ACL: (\d+)/.exec(text(workshop.debug(single, 'stat one')))?.[1]);
    const shared = workshop.edit(single, [`sif two file_acl ${block}`, 'sif two blocks 4']);
    new DataView(shared.buffer).setUint32(block * 1024 + 4, 2, true);
    expect(workshop.check(shared)).toBe('');
    const fs = await Mounted.start(shared);
    await fs.with('/two', (vnode) => fs.mount.append(vnode, pattern(10_000)));
    await fs.unlink('/one');
    await fs.mount.sync();
    expect(workshop.check(fs.hypercalls.bytes)).toBe('');
    expect(text(workshop.debug(fs.hypercalls.bytes, 'ea_get two user.key'))).toContain(value);
    await fs.unlink('/two');
    expect(workshop.check(await fs.end())).toBe('');
  });

  test('the checksum of a shared block of attributes is kept, and is looked at', async () => {
    const names = ['one', 'two', 'three'];
    const tree = Object.fromEntries(names.map((name) => [name, name]));
    const made = workshop.make('6M', ['-t', 'ext4', '-b', '1024', '-N', '64', '-I', '128'], tree);
    const single = workshop.edit(made, [`ea_set one user.key ${'v'.repeat(300)}`]);
    const block = Number(/File ACL: (\d+)/.exec(text(workshop.debug(single, 'stat one')))?.[1]);
    const others = names
      .slice(1)
      .flatMap((name) => [`sif ${name} file_acl ${block}`, `sif ${name} blocks 4`]);
    // e2fsck counts the users of the block, and completes its checksum.
    const shared = workshop.mend(workshop.edit(single, others), ['-f', '-y']);
    const fs = await Mounted.start(shared.slice());
    for (const name of names.slice(0, 2)) await fs.unlink(`/${name}`);
    await fs.mount.sync();
    expect(workshop.checkReplayed(fs.hypercalls.bytes.slice())).toBe('');
    await fs.unlink('/three');
    expect(workshop.check(await fs.end())).toBe('');
    shared[block * 1024 + 40] = (shared[block * 1024 + 40] ?? 0) ^ 1;
    const damaged = await Mounted.start(shared);
    await expect(damaged.unlink('/one')).rejects.toMatchObject({
      code: 'Corrupt',
      message: expect.stringMatching(
        `inode \\d+: its extended attributes in block ${block} have a wrong checksum`,
      ),
    });
    await damaged.end();
  });

  test('a file that is deleted before it was written back is never written', async () => {
    const fs = await Mounted.start(make());
    await fs.mount.sync();
    const secret = new Uint8Array(20_000).fill(0x5a);
    await fs.write('/short-lived', secret);
    await fs.unlink('/short-lived');
    const image = await fs.end();
    expect(workshop.check(image)).toBe('');
    expect(Buffer.from(image).includes(Buffer.from(secret.subarray(0, 1024)))).toBe(false);
  });

  test('names of all lengths come and go in a large directory', async () => {
    for (const memoryBytes of [64 * 1024, 4 << 20]) {
      const random = randomFrom(memoryBytes);
      const fs = await Mounted.start(make(), { memoryBytes });
      await fs.mkdir('/dir');
      await fs.write('/file', pattern(10));
      const names = Array.from(
        { length: 400 },
        (_unused, index) => `${index}-${'n'.repeat(Math.floor(random() ** 2 * 240))}`,
      );
      const present = new Set<string>();
      const file = await fs.with('/file', (vnode) => fs.mount.hold(vnode));
      const directory = await fs.with('/dir', (vnode) => fs.mount.hold(vnode));
      for (let step = 0; step < 4000; step += 1) {
        const name = names[Math.floor(random() * names.length)] ?? '';
        const isPresent = await fs.mount.lookup(directory, name).then(
          (vnode) => fs.mount.release(vnode).then(() => true),
          (error: unknown) => {
            expect(error).toMatchObject({ code: 'NotFound' });
            return false;
          },
        );
        expect(isPresent, name).toBe(present.has(name));
        if (isPresent) await fs.mount.unlink(directory, name);
        else await fs.mount.link(directory, name, file);
        if (isPresent) present.delete(name);
        else present.add(name);
      }
      expect(fs.mount.attributes(file).links).toBe(present.size + 1);
      await fs.mount.release(file);
      await fs.mount.release(directory);
      expect(await fs.list('/dir')).toEqual([...present].toSorted());
      expect(workshop.check(await fs.end())).toBe('');
    }
  });

  test('times, permissions and owners are those that debugfs shows', async () => {
    const fs = await Mounted.start(make());
    await fs.write('/new', pattern(3));
    await fs.with('/new', (vnode) =>
      fs.mount.setAttributes(vnode, {
        permissions: 0o4711,
        uid: 100_000,
        gid: 7,
        modifiedMs: Date.UTC(2071, 5, 6, 7, 8, 9, 123),
        accessedMs: Date.UTC(1950, 0, 1),
      }),
    );
    const attributes = await fs.with('/new', (vnode) => fs.mount.attributes(vnode));
    const image = await fs.end();
    expect(workshop.check(image)).toBe('');
    const shown = text(workshop.debug(image, 'stat /new'));
    expect(shown).toMatch(/Mode: +04711/);
    expect(shown).toMatch(/User: 100000 +Group: +7/);
    expect(shown).toMatch(/mtime: .*Jun +6 07:08:09 2071/);
    expect(shown).toMatch(/crtime: .* 2023/);
    const again = await Mounted.start(image);
    expect(await again.with('/new', (vnode) => again.mount.attributes(vnode))).toEqual(attributes);
    await again.end();
  });

  test('immutable and append-only files are not changed', async () => {
    const image = workshop.edit(make(), ['set_inode_field old flags 0x20']);
    const fs = await Mounted.start(image);
    const forbidden = { code: 'NotPermitted' };
    await fs.with('/old', async (vnode) => {
      await expect(fs.mount.write(vnode, 0, pattern(1))).rejects.toMatchObject(forbidden);
      await expect(fs.mount.truncate(vnode, 0)).rejects.toMatchObject(forbidden);
      expect(await fs.mount.append(vnode, pattern(1))).toBe(1);
    });
    await expect(fs.unlink('/old')).rejects.toMatchObject(forbidden);
    await expect(fs.rename('/old', '/new')).rejects.toMatchObject(forbidden);
    await fs.end();
  });

  test('names up to the limit are accepted, and longer ones refused', async () => {
    const fs = await Mounted.start(make());
    const longest = 'ä'.repeat(127) + 'x';
    await fs.write(`/${longest}`, pattern(1));
    expect(await fs.list('/')).toContain(longest);
    await expect(fs.write(`/${longest}x`, pattern(1))).rejects.toMatchObject({ code: 'NameTooLong' });
    for (const name of ['', '.', '..', 'a/b', 'a\0b', '\ud800']) {
      await expect(fs.mount.createFile(fs.mount.root, name)).rejects.toMatchObject({ code: 'InvalidName' });
    }
    await fs.write('/\udcff\udc80', pattern(2));
    const image = await fs.end();
    expect(workshop.check(image)).toBe('');
    const again = await Mounted.start(image);
    expect(same(await again.contents('/\udcff\udc80'), pattern(2))).toBe(true);
    await again.end();
  });

  test('many operations at once leave a clean file system', async () => {
    const fs = await Mounted.start(make(), { memoryBytes: 128 * 1024, shuffleSeed: 3 });
    await fs.mkdir('/dir');
    const numbers = Array.from({ length: 40 }, (_unused, index) => index);
    await Promise.all(numbers.map((number) => fs.write(`/dir/${number}`, pattern(20_000, number))));
    await Promise.all(
      numbers.map(async (number) => {
        if (number % 4 === 0) await fs.unlink(`/dir/${number}`);
        if (number % 4 === 1) await fs.rename(`/dir/${number}`, `/moved-${number}`);
        if (number % 4 === 2)
          await fs.with(`/dir/${number}`, (vnode) => fs.mount.append(vnode, pattern(50, number)));
        if (number % 4 === 3) await fs.mount.sync();
      }),
    );
    for (const number of numbers) {
      const expected = pattern(20_000, number);
      if (number % 4 === 1) expect(same(await fs.contents(`/moved-${number}`), expected)).toBe(true);
      if (number % 4 === 3) expect(same(await fs.contents(`/dir/${number}`), expected)).toBe(true);
      if (number % 4 === 2) expect((await fs.contents(`/dir/${number}`)).length).toBe(20_050);
    }
    expect(workshop.check(await fs.end())).toBe('');
  });

  test('a directory has at most 32000 links', async () => {
    const image = workshop.edit(make(), ['set_inode_field old links_count 32000']);
    const fs = await Mounted.start(image);
    await fs.with('/old', (vnode) =>
      expect(fs.mount.link(fs.mount.root, 'again', vnode)).rejects.toMatchObject({ code: 'TooManyLinks' }),
    );
    await fs.end();
  });
});

/** The file system in memory: against the model, and what it takes of the memory that it is given. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BoundedMemory } from '../src/tmpfs/memory.ts';
import { Tmpfs } from '../src/tmpfs/tmpfs.ts';
import { Mount } from '../src/vnode/mount.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Pair } from './model-pair.ts';
import { anyStep, located } from './model-steps.ts';

const RUNS = process.env['GINIT_PROPERTY_SEED'] === undefined ? 8 : 100;
const hypercalls = (): MemoryHypercalls => new MemoryHypercalls(new Uint8Array(512));

test.each([
  ['plenty of memory', 64 * 1024 * 1024],
  ['memory that is soon full', 300 * 1024],
])('does what the model does, with %s, and gives all memory back', async (_, bytes) => {
  const property = fc.asyncProperty(fc.array(anyStep, { maxLength: 120, size: 'max' }), async (steps) => {
    const memory = new BoundedMemory(bytes);
    const world = hypercalls();
    const mount = await Mount.create(new Tmpfs(memory), world);
    const pair = Pair.over(world, mount, 'tmpfs');
    for (const one of steps) await pair.step(located(one, pair.model));
    await pair.compareAll();
    await pair.release();
    await removeAll(mount);
    expect(memory.usedBytes).toBe(0);
    await mount.unmount();
  });
  await fc.assert(property, { numRuns: RUNS, endOnFailure: false });
});

async function removeAll(mount: Mount, directory = mount.root): Promise<void> {
  const { entries, nextCursor } = await mount.list(directory, 0, 1000);
  expect(nextCursor).toBeUndefined();
  for (const { name, type } of entries) {
    if (type !== 'directory') {
      await mount.unlink(directory, name);
      continue;
    }
    const inner = await mount.lookup(directory, name);
    await removeAll(mount, inner);
    await mount.release(inner);
    await mount.removeDirectory(directory, name);
  }
}

test('a directory can be listed piece by piece while it changes', async () => {
  const mount = await Mount.create(new Tmpfs(new BoundedMemory(1 << 20)), hypercalls());
  const names = Array.from({ length: 100 }, (_, index) => `name ${index}`);
  for (const name of names) await mount.release(await mount.createFile(mount.root, name));
  const listed: string[] = [];
  for (let cursor: number | undefined = 0; cursor !== undefined; ) {
    const { entries, nextCursor } = await mount.list(mount.root, cursor, 7);
    listed.push(...entries.map(({ name }) => name));
    cursor = nextCursor;
    const [gone] = entries;
    if (gone) await mount.unlink(mount.root, gone.name);
  }
  expect(listed).toEqual(names);
  expect((await mount.list(mount.root, 0, 1000)).entries).toHaveLength(85);
});

test('attributes are kept, and a file of holes takes no memory', async () => {
  const memory = new BoundedMemory(1 << 20);
  const mount = await Mount.create(new Tmpfs(memory), hypercalls());
  const file = await mount.createFile(mount.root, 'file', { permissions: 0o640, uid: 3, gid: 4 });
  await mount.truncate(file, 2 ** 39);
  expect(memory.usedBytes).toBeLessThan(1024);
  await mount.setAttributes(file, { modifiedMs: 12_345, permissions: 0o600 });
  expect(mount.attributes(file)).toMatchObject({
    permissions: 0o600,
    uid: 3,
    modifiedMs: 12_345,
    sizeBytes: 2 ** 39,
  });
  await expect(mount.truncate(file, 2 ** 41)).rejects.toMatchObject({ code: 'FileTooLarge' });
  await expect(mount.write(file, 0, new Uint8Array(2 << 20))).resolves.toBeLessThan(2 << 20);
  await mount.release(file);
  await mount.unmount();
});

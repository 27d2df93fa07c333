/** The name cache: what it knows is so, whatever was taken away meanwhile. */
import { expect, test } from 'vitest';
import { BoundedMemory } from '../src/tmpfs/memory.ts';
import { Tmpfs } from '../src/tmpfs/tmpfs.ts';
import { Mount } from '../src/vnode/mount.ts';
import { NameCache } from '../src/vnode/name-cache.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';

async function someMount(): Promise<Mount> {
  const world = new MemoryHypercalls(new Uint8Array(512));
  return Mount.create(new Tmpfs(new BoundedMemory(1 << 20)), world);
}

test('a name that was found is known at once, until it is taken away', async () => {
  const mount = await someMount();
  const { root } = mount;
  const file = await mount.createFile(root, 'a');
  await mount.release(file);
  expect(mount.peek(root, 'a')).toBeUndefined();
  await mount.release(await mount.lookup(root, 'a'));
  expect(mount.peek(root, 'a')).toBe(file);
  await mount.rename(root, 'a', root, 'b');
  expect(mount.peek(root, 'a')).toBeUndefined();
  await mount.release(await mount.lookup(root, 'b'));
  const other = await mount.createFile(root, 'c');
  await mount.release(other);
  await mount.rename(root, 'c', root, 'b');
  expect(mount.peek(root, 'b')).toBeUndefined();
  await mount.release(await mount.lookup(root, 'b'));
  expect(mount.peek(root, 'b')).toBe(other);
  await mount.unlink(root, 'b');
  expect(mount.peek(root, 'b')).toBeUndefined();
  expect(await mount.find(root, 'b')).toBeUndefined();
  const directory = await mount.createDirectory(root, 'd');
  await mount.release(await mount.lookup(root, 'd'));
  await mount.removeDirectory(root, 'd');
  expect(mount.peek(root, 'd')).toBeUndefined();
  expect(mount.peek(directory, 'x')).toBeUndefined();
  await mount.release(directory);
  await mount.unmount();
});

test('nothing is known while names are being changed', async () => {
  const mount = await someMount();
  const { root } = mount;
  await mount.release(await mount.createFile(root, 'a'));
  await mount.release(await mount.lookup(root, 'a'));
  const change = mount.createFile(root, 'b');
  await Promise.resolve();
  await Promise.resolve();
  const during = mount.peek(root, 'a');
  await mount.release(await change);
  expect([undefined, mount.peek(root, 'a')]).toContain(during);
  expect(mount.peek(root, 'a')).toBeDefined();
});

test('it is bounded, and the directory that came first goes first', async () => {
  const mount = await someMount();
  const cache = new NameCache(10);
  const first = await mount.createDirectory(mount.root, 'first');
  const second = await mount.createDirectory(mount.root, 'second');
  for (let index = 0; index < 6; index += 1) cache.put(first, `${index}`, index);
  for (let index = 0; index < 4; index += 1) cache.put(second, `${index}`, index);
  expect([first.names?.size, second.names?.size]).toEqual([6, 4]);
  cache.put(second, 'more', 7);
  expect([first.names?.size, second.names?.size]).toEqual([undefined, 5]);
  cache.drop(second, 'more');
  cache.drop(second, 'none');
  for (let index = 0; index < 6; index += 1) cache.put(first, `${index}`, index);
  expect([first.names?.size, second.names?.size]).toEqual([6, 4]);
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveParent, resolvePath } from '../src/vnode/path.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { Mounted, pattern } from './mounting.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingTools)(`paths ${missingTools ?? ''}`, () => {
  let fs: Mounted;
  beforeAll(async () => {
    fs = await Mounted.start(workshop.make('1M', ['-b', '1024']));
    await fs.mkdir('/jail');
    await fs.mkdir('/jail/inner');
    await fs.write('/secret', pattern(1));
    await fs.write('/jail/secret', pattern(2));
    await fs.write('/jail/inner/file', pattern(3));
    await fs.symlink('/jail/absolute', '/secret');
    await fs.symlink('/jail/inner/up', '../../../secret');
    await fs.symlink('/jail/to-inner', 'inner');
    await fs.symlink('/jail/dangling', 'nowhere');
    await fs.symlink('/jail/loop', 'loop2');
    await fs.symlink('/jail/loop2', '/jail/loop');
    await fs.symlink('/jail/self', 'inner/../self/x');
  });
  afterAll(() => fs.mount.unmount());

  /** The length of the file at a path below /jail, or the code of the error. */
  async function seen(path: string): Promise<number | string> {
    const jail = await fs.mount.lookup(fs.mount.root, 'jail');
    try {
      const vnode = await resolvePath(fs.mount, jail, path);
      const size = vnode.type === 'file' ? fs.mount.attributes(vnode).sizeBytes : vnode.type;
      await fs.mount.release(vnode);
      return size;
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : 'other';
    } finally {
      await fs.mount.release(jail);
    }
  }

  test('no path leads out of the given root', async () => {
    for (const path of [
      'secret',
      '/secret',
      '../secret',
      '/../../secret',
      'inner/../../secret',
      'absolute',
    ]) {
      expect(await seen(path), path).toBe(2);
    }
    expect(await seen('inner/up')).toBe(2);
    expect(await seen('..')).toBe('directory');
  });

  test('symbolic links, slashes and dots lead where POSIX says', async () => {
    for (const path of [
      'to-inner/file',
      'to-inner//./file',
      '/inner/../to-inner/../inner/file',
      './inner/file',
    ]) {
      expect(await seen(path), path).toBe(3);
    }
    expect(await seen('')).toBe('directory');
    expect(await seen('to-inner/')).toBe('directory');
    expect(await seen('inner/file/')).toBe('NotDirectory');
    expect(await seen('inner/file/..')).toBe('NotDirectory');
    expect(await seen('dangling')).toBe('NotFound');
    expect(await seen('loop')).toBe('NotFound');
    expect(await seen('self')).toBe('SymlinkLoop');
    expect(await seen(`${'inner/../'.repeat(1000)}x`)).toBe('PathTooLong');
    expect(await seen(`${'inner/../'.repeat(400)}inner/file`)).toBe(3);
  });

  test('the last name may be a symbolic link, or may not exist yet', async () => {
    const link = await resolvePath(fs.mount, fs.mount.root, 'jail/dangling', false);
    expect(await fs.mount.readLink(link)).toBe('nowhere');
    await fs.mount.release(link);
    const { directory, name } = await resolveParent(fs.mount, fs.mount.root, '/jail/to-inner/new/');
    expect(name).toBe('new');
    expect(await fs.list('/jail/inner')).toEqual(['file', 'up']);
    await fs.mount.release(directory);
    for (const path of ['', '/', '..', 'jail/..', 'jail/.']) {
      await expect(resolveParent(fs.mount, fs.mount.root, path), path).rejects.toMatchObject({
        code: 'InvalidName',
      });
    }
    await expect(resolveParent(fs.mount, fs.mount.root, 'secret/x')).rejects.toMatchObject({
      code: 'NotDirectory',
    });
  });
});

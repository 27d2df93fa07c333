import { mountFileSystem } from '../src/file-systems.ts';
import type { Mount } from '../src/vnode/mount.ts';
import { resolveParent, resolvePath } from '../src/vnode/path.ts';
import type { Vnode } from '../src/vnode/vnode.ts';
import { MemoryHypercalls, type MemoryOptions } from './memory-hypercalls.ts';

/** A mounted image, with operations by path as tests want them. */
export class Mounted {
  readonly hypercalls: MemoryHypercalls;
  readonly mount: Mount;

  constructor(hypercalls: MemoryHypercalls, mount: Mount) {
    this.hypercalls = hypercalls;
    this.mount = mount;
  }

  static async start(
    image: Uint8Array,
    options: MemoryOptions = {},
    writeable = true,
    type = 'ext2',
    zone?: string,
  ): Promise<Mounted> {
    const hypercalls = new MemoryHypercalls(image, options);
    const wishes = zone === undefined ? { writeable } : { writeable, zone };
    return new Mounted(hypercalls, await mountFileSystem(hypercalls, type, wishes));
  }

  /** Unmounts. The result is the image as it is then. */
  async end(): Promise<Uint8Array> {
    await this.mount.unmount();
    return this.hypercalls.bytes;
  }

  async with<Result>(path: string, action: (vnode: Vnode) => Promise<Result> | Result): Promise<Result> {
    const vnode = await resolvePath(this.mount, this.mount.root, path);
    try {
      return await action(vnode);
    } finally {
      await this.mount.release(vnode);
    }
  }

  async at<Result>(
    path: string,
    action: (directory: Vnode, name: string) => Promise<Result>,
  ): Promise<Result> {
    const { directory, name } = await resolveParent(this.mount, this.mount.root, path);
    try {
      return await action(directory, name);
    } finally {
      await this.mount.release(directory);
    }
  }

  contents(path: string): Promise<Uint8Array> {
    return this.with(path, async (vnode) => {
      const bytes = new Uint8Array(this.mount.attributes(vnode).sizeBytes);
      const length = await this.mount.read(vnode, 0, bytes);
      return bytes.subarray(0, length);
    });
  }

  /** Creates a file with these contents. */
  async write(path: string, bytes: Uint8Array): Promise<void> {
    const file = await this.at(path, (directory, name) => this.mount.createFile(directory, name));
    try {
      await this.mount.write(file, 0, bytes);
    } finally {
      await this.mount.release(file);
    }
  }

  async mkdir(path: string): Promise<void> {
    await this.mount.release(
      await this.at(path, (directory, name) => this.mount.createDirectory(directory, name)),
    );
  }

  async symlink(path: string, target: string): Promise<void> {
    const made = await this.at(path, (directory, name) => this.mount.createSymlink(directory, name, target));
    await this.mount.release(made);
  }

  unlink(path: string): Promise<void> {
    return this.at(path, (directory, name) => this.mount.unlink(directory, name));
  }

  rmdir(path: string): Promise<void> {
    return this.at(path, (directory, name) => this.mount.removeDirectory(directory, name));
  }

  link(path: string, other: string): Promise<void> {
    return this.with(path, (target) =>
      this.at(other, (directory, name) => this.mount.link(directory, name, target)),
    );
  }

  rename(path: string, other: string): Promise<void> {
    return this.at(path, (directory, name) =>
      this.at(other, (toDirectory, toName) => this.mount.rename(directory, name, toDirectory, toName)),
    );
  }

  list(path: string, entriesMax = 100): Promise<string[]> {
    return this.with(path, async (vnode) => {
      const names: string[] = [];
      for (let cursor: number | undefined = 0; cursor !== undefined; ) {
        const listing = await this.mount.list(vnode, cursor, entriesMax);
        names.push(...listing.entries.map((entry) => entry.name));
        cursor = listing.nextCursor;
      }
      return names.toSorted();
    });
  }
}

/** Bytes that differ from block to block. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1)
    bytes[index] = (index * 31 + (index >> 8) * 7 + seed) & 0xff;
  return bytes;
}

export function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

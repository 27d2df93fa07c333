import { expect } from 'vitest';
import { FsError } from '../src/errors.ts';
import { mountFileSystem } from '../src/file-systems.ts';
import { PathNodes } from '../src/promises/path-nodes.ts';
import type { Mount } from '../src/vnode/mount.ts';
import { resolveParent, resolvePath } from '../src/vnode/path.ts';
import type { Vnode } from '../src/vnode/vnode.ts';
import { MemoryHypercalls, type MemoryOptions, randomFrom } from './memory-hypercalls.ts';
import { Model, type ModelNode, modelNode, resizeModel, writeModel } from './model.ts';

export type Step<Path = string> =
  | { readonly op: 'create' | 'mkdir' | 'unlink' | 'rmdir' | 'open' | 'read'; readonly path: Path }
  | { readonly op: 'rename' | 'link'; readonly path: Path; readonly other: Path }
  | { readonly op: 'symlink'; readonly path: Path; readonly other: string }
  | { readonly op: 'write'; readonly path: Path; readonly offset: number; readonly length: number }
  | { readonly op: 'append'; readonly path: Path; readonly length: number }
  | { readonly op: 'truncate'; readonly path: Path; readonly size: number }
  | { readonly op: 'writeOpen'; readonly offset: number; readonly length: number }
  | { readonly op: 'close' | 'sync' | 'remount' };

/** The outcome of a step: a value to compare, or the code of its error. */
async function outcomeOf(action: () => Promise<unknown> | unknown): Promise<unknown> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
}

/** What a format cannot do as the model does. */
export interface PairForm {
  /** The format's name. */
  readonly type: string;
  /** Whether a file has no holes, so that a size alone may take all space. */
  readonly solid?: boolean;
  /** Whether it is lost when it is unmounted. */
  readonly lost?: boolean;
  /** The units of space that one block has, where files may have less than a block. */
  readonly fragmentsPerBlock?: number;
  /** Whether a directory may be full while the device is not. */
  readonly boundedDirectories?: boolean;
}

/** The real file system beside the model; each step is done to both. */
export class Pair {
  readonly model = new Model();
  readonly #form: PairForm;
  readonly #hypercalls: MemoryHypercalls;
  #mount: Mount;
  #open: { readonly vnode: Vnode; readonly node: ModelNode } | undefined = undefined;
  readonly #random = randomFrom(42);

  private constructor(hypercalls: MemoryHypercalls, mount: Mount, form: PairForm) {
    this.#hypercalls = hypercalls;
    this.#mount = mount;
    this.#form = form;
  }

  static async start(
    image: Uint8Array,
    options: MemoryOptions,
    form: PairForm = { type: 'ext2' },
  ): Promise<Pair> {
    const hypercalls = new MemoryHypercalls(image, options);
    const mount = await mountFileSystem(hypercalls, form.type, { writeable: true });
    return new Pair(hypercalls, mount, form);
  }

  /** A file system that is not on a device, so that a remount is only a sync. */
  static over(hypercalls: MemoryHypercalls, mount: Mount, type: string): Pair {
    return new Pair(hypercalls, mount, { type, lost: true });
  }

  /** Closes what a step has left open. */
  release(): Promise<void> {
    return this.#close();
  }

  async end(): Promise<Uint8Array> {
    await this.#close();
    await this.#mount.unmount();
    return this.#hypercalls.bytes;
  }

  async step(step: Step): Promise<void> {
    switch (step.op) {
      case 'create':
        return this.#compare(
          step,
          () => void this.model.make(step.path, modelNode('file')),
          (mount) =>
            inParent(mount, step.path, async (directory, last) =>
              mount.release(await mount.createFile(directory, last)),
            ),
        );
      case 'mkdir':
        return this.#compare(
          step,
          () => void this.model.make(step.path, modelNode('directory')),
          (mount) =>
            inParent(mount, step.path, async (directory, last) =>
              mount.release(await mount.createDirectory(directory, last)),
            ),
        );
      case 'symlink':
        return this.#compare(
          step,
          () => void this.model.make(step.path, modelNode('symlink', step.other)),
          (mount) =>
            inParent(mount, step.path, async (directory, last) =>
              mount.release(await mount.createSymlink(directory, last, step.other)),
            ),
        );
      case 'unlink':
        return this.#compare(
          step,
          () => this.model.unlink(step.path),
          (mount) => inParent(mount, step.path, (directory, last) => mount.unlink(directory, last)),
        );
      case 'rmdir':
        return this.#compare(
          step,
          () => this.model.removeDirectory(step.path),
          (mount) => inParent(mount, step.path, (directory, last) => mount.removeDirectory(directory, last)),
        );
      case 'rename':
        return this.#compare(
          step,
          () => this.model.rename(step.path, step.other),
          (mount) =>
            inParent(mount, step.path, (directory, last) =>
              inParent(mount, step.other, (toDirectory, toLast) =>
                mount.rename(directory, last, toDirectory, toLast),
              ),
            ),
        );
      case 'link':
        return this.#compare(
          step,
          () => this.model.link(step.path, step.other),
          async (mount) => {
            const node = await resolvePath(mount, mount.root, step.path, false);
            try {
              await inParent(mount, step.other, (directory, last) => mount.link(directory, last, node));
            } finally {
              await mount.release(node);
            }
          },
        );
      default:
        return this.#dataStep(step);
    }
  }

  async #dataStep(step: Step): Promise<void> {
    switch (step.op) {
      case 'write':
        return this.#write(step, step.path, () => step.offset, step.length);
      case 'append':
        return this.#write(step, step.path, (node) => node.data.length, step.length);
      case 'truncate':
        return this.#compare(
          step,
          () => resizeModel(this.#modelFile(step.path), step.size),
          (mount) => using(mount, step.path, (vnode) => mount.truncate(vnode, step.size)),
        );
      case 'read':
        return this.#compare(
          step,
          () => this.#modelFile(step.path).data,
          (mount) => using(mount, step.path, (vnode) => contents(mount, vnode)),
        );
      case 'open':
        return this.#openPath(step.path);
      case 'writeOpen':
        if (this.#open === undefined) return;
        return this.#writeTo(this.#open.vnode, this.#open.node, step.offset, step.length);
      case 'close':
        return this.#close();
      case 'sync':
        return this.#mount.sync();
      case 'remount':
        await this.#close();
        if (this.#form.lost === true) return this.#mount.sync();
        await this.#mount.unmount();
        this.#mount = await mountFileSystem(this.#hypercalls, 'auto', { writeable: true });
        return;
      default:
        throw new Error(`test: unknown step ${step.op}`);
    }
  }

  /** Checks that the file system has everything that the model has, and nothing else. */
  async compareAll(): Promise<void> {
    await this.#compareDirectory(this.#mount.root, this.model.root, '');
  }

  async #compareDirectory(vnode: Vnode, node: ModelNode, where: string): Promise<void> {
    const mount = this.#mount;
    const found = new Map<string, string>();
    for (let cursor: number | undefined = 0; cursor !== undefined; ) {
      const listing = await mount.list(vnode, cursor, 3);
      for (const entry of listing.entries) found.set(entry.name, entry.type);
      cursor = listing.nextCursor;
    }
    found.delete('lost+found');
    const expected = new Map<string, string>();
    for (const [key, child] of node.entries) expected.set(key, child.type);
    expect([...found].toSorted(), where).toEqual([...expected].toSorted());
    for (const [key, child] of node.entries) {
      const inner = await mount.lookup(vnode, key);
      const attributes = mount.attributes(inner);
      if (child.type === 'directory') await this.#compareDirectory(inner, child, `${where}/${key}`);
      else expect(attributes.links, `links of ${where}/${key}`).toBe(child.links);
      if (child.type === 'symlink') expect(await mount.readLink(inner)).toBe(child.target);
      if (child.type === 'file') expectSame(await contents(mount, inner), child.data, `${where}/${key}`);
      await mount.release(inner);
    }
  }

  async #compare(
    step: Step,
    onModel: () => unknown,
    onReal: (mount: Mount) => Promise<unknown>,
  ): Promise<void> {
    const real = await outcomeOf(() => onReal(this.#mount));
    if (real === 'NoSpace') return this.#expectFull(step.op === 'truncate' ? step.size : 0);
    const modelled = await outcomeOf(onModel);
    if (real instanceof Uint8Array && modelled instanceof Uint8Array)
      expectSame(real, modelled, JSON.stringify(step));
    else expect(real, JSON.stringify(step)).toEqual(modelled);
  }

  async #write(
    step: Step,
    where: string,
    offsetOf: (node: ModelNode) => number,
    bytes: number,
  ): Promise<void> {
    const node = await outcomeOf(() => this.#modelFile(where));
    if (typeof node === 'string') {
      const real = await outcomeOf(() =>
        using(this.#mount, where, (vnode) => this.#mount.write(vnode, 0, new Uint8Array(1))),
      );
      expect(real, JSON.stringify(step)).toBe(node);
      return;
    }
    const vnode = await resolvePath(this.#mount, this.#mount.root, where);
    const file = this.#modelFile(where);
    await this.#writeTo(vnode, file, offsetOf(file), bytes);
    await this.#mount.release(vnode);
  }

  async #writeTo(vnode: Vnode, node: ModelNode, position: number, bytes: number): Promise<void> {
    const data = Uint8Array.from({ length: bytes }, () => Math.floor(this.#random() * 256));
    const written = await outcomeOf(() => this.#mount.write(vnode, position, data));
    if (written === bytes) return writeModel(node, position, data);
    this.#expectFull(position + bytes);
    if (typeof written === 'number') writeModel(node, position, data.subarray(0, written));
    else expect(written).toBe('NoSpace');
  }

  /** @param sizeBytes the size that a file would have */
  #expectFull(sizeBytes: number): void {
    const { blocksFree, nodes, nodesFree, blockSizeBytes } = this.#mount.statistics();
    const wanted = this.#form.solid === true ? Math.ceil(sizeBytes / blockSizeBytes) : 0;
    if (sizeBytes === 0 && this.#form.boundedDirectories === true) return;
    const left = nodes === 0 ? blocksFree : Math.min(blocksFree, nodesFree);
    // Each node may leave a block with room for fragments, but for no block.
    const scattered = ((this.#form.fragmentsPerBlock ?? 1) - 1) * (4 + nodes - nodesFree);
    expect(left, 'free when there was no space').toBeLessThan(4 + wanted + scattered);
  }

  #modelFile(where: string): ModelNode {
    const node = this.model.resolve(where);
    if (node.type === 'directory') throw new FsError('IsDirectory', 'model');
    return node;
  }

  async #openPath(where: string): Promise<void> {
    await this.#close();
    const node = await outcomeOf(() => this.#modelFile(where));
    if (typeof node === 'string') return;
    const vnode = await resolvePath(this.#mount, this.#mount.root, where);
    this.#open = { vnode, node: this.#modelFile(where) };
  }

  async #close(): Promise<void> {
    if (this.#open === undefined) return;
    const { vnode, node } = this.#open;
    this.#open = undefined;
    expectSame(await contents(this.#mount, vnode), node.data, 'the open file');
    await this.#mount.release(vnode);
  }
}

async function inParent<Result>(
  mount: Mount,
  where: string,
  action: (directory: Vnode, last: string) => Promise<Result>,
): Promise<Result> {
  const { directory, name: last } = await resolveParent(mount, mount.root, where);
  try {
    return await action(directory, last);
  } finally {
    await mount.release(directory);
  }
}

async function using<Result>(
  mount: Mount,
  where: string,
  action: (vnode: Vnode) => Promise<Result>,
): Promise<Result> {
  const peeked = new PathNodes(mount, { uid: 0, gid: 0, umask: 0 }).peek(where, true);
  const vnode = await resolvePath(mount, mount.root, where).catch((error: unknown) => {
    expect(peeked, `the name cache knows "${where}", which is not there`).toBeUndefined();
    throw error;
  });
  try {
    expect(peeked ?? vnode, `the name cache is wrong about "${where}"`).toBe(vnode);
    return await action(vnode);
  } finally {
    await mount.release(vnode);
  }
}

/** Reads a file in pieces of uneven size, so that every way through the cache is taken. */
async function contents(mount: Mount, vnode: Vnode): Promise<Uint8Array> {
  // A directory cannot be read, and may be empty.
  if (vnode.type !== 'file') await mount.read(vnode, 0, new Uint8Array(1));
  const bytes = new Uint8Array(mount.attributes(vnode).sizeBytes);
  const pieces = [1000, 70_000, 5, 4096, 333_333];
  for (let position = 0, turn = 0; position < bytes.length; turn += 1) {
    const piece = bytes.subarray(position, position + (pieces[turn % pieces.length] ?? 1));
    piece.fill(0xee);
    expect(await mount.read(vnode, position, piece)).toBe(piece.length);
    position += piece.length;
  }
  return bytes;
}

function expectSame(real: Uint8Array, expected: Uint8Array, what: string): void {
  expect(real.length, `length of ${what}`).toBe(expected.length);
  expect(Buffer.compare(real, expected), `contents of ${what}`).toBe(0);
}

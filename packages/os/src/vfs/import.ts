/** `<import>`: copies files into the tree, once. */
import { type FileSystemBackend } from '@ginit/core/file_system';
import type { ConfigNode } from '@ginit/core/config';
import { type PartEnv, reasonOf } from './open-part.ts';
import type { ImportItem } from './schema.ts';
import { TreeParts } from './tree-parts.ts';
import type { VfsNode } from './tree/vfs-nodes.ts';
import { VfsTree } from './tree/vfs-tree.ts';

const COPY_BYTES = 64 * 1024;
const ENTRIES_PER_LIST = 128;

/** Copies what the element holds into `tree`. Throws a `ConfigError` at the element. */
export async function importInto(env: PartEnv, tree: VfsTree, item: ImportItem): Promise<void> {
  const parts = new TreeParts(env);
  const source = new VfsTree(parts.top, await env.timer.currentTimeMs());
  try {
    await parts.apply(item.$content, () => {});
    await new Copying(source, tree, item.overwrite, item.$node).directory(source.root, tree.root, '');
  } finally {
    await parts.close();
  }
}

/** The copying of one tree into another. */
class Copying {
  readonly #source: VfsTree;
  readonly #target: FileSystemBackend<VfsNode>;
  readonly #overwrite: boolean;
  readonly #node: ConfigNode;

  constructor(source: VfsTree, target: VfsTree, overwrite: boolean, node: ConfigNode) {
    this.#source = source;
    this.#target = target;
    this.#overwrite = overwrite;
    this.#node = node;
  }

  async directory(from: VfsNode, to: VfsNode, path: string): Promise<void> {
    for (let cursor: number | undefined = 0; cursor !== undefined; ) {
      const listing = await this.#source.list(from, cursor, ENTRIES_PER_LIST);
      for (const { name } of listing.entries) await this.#entry(from, to, name, `${path}/${name}`);
      cursor = listing.nextCursor;
    }
  }

  async #entry(from: VfsNode, to: VfsNode, name: string, path: string): Promise<void> {
    const node = await this.#source.lookup(from, name);
    try {
      await this.#copy(node, to, name, path);
    } catch (error) {
      const code = this.#target.errorCode(error) ?? this.#source.errorCode(error);
      if (!code) throw error;
      throw this.#node.errorAt(`<import>: "${path}": ${code}: ${reasonOf(error) ?? code}`);
    } finally {
      await this.#source.release(node);
    }
  }

  async #copy(node: VfsNode, to: VfsNode, name: string, path: string): Promise<void> {
    const there = await this.#there(to, name);
    try {
      if (node.type === 'directory') await this.#copyDirectory(node, to, name, path, there);
      else if (there === undefined) await this.#copyNew(node, to, name);
      else if (this.#overwrite) await this.#replace(node, to, name, there);
    } finally {
      if (there) await this.#target.release(there);
    }
  }

  async #there(to: VfsNode, name: string): Promise<VfsNode | undefined> {
    try {
      return await this.#target.lookup(to, name);
    } catch (error) {
      if (this.#target.errorCode(error) === 'Lookup_failed') return undefined;
      throw error;
    }
  }

  async #copyDirectory(
    node: VfsNode,
    to: VfsNode,
    name: string,
    path: string,
    there: VfsNode | undefined,
  ): Promise<void> {
    if (there) return this.directory(node, there, path);
    const made = await this.#target.createDirectory(to, name, await this.#source.status(node));
    try {
      await this.directory(node, made, path);
    } finally {
      await this.#target.release(made);
    }
  }

  /** A file that is there keeps what it is, but for its content; anything else is made anew. */
  async #replace(node: VfsNode, to: VfsNode, name: string, there: VfsNode): Promise<void> {
    const { unsized } = await this.#source.status(node);
    if (node.type === 'file' && there.type === 'file') {
      if (unsized === true) return;
      await this.#target.truncate(there, 0);
      return this.#copyContent(node, there);
    }
    await this.#target.unlink(to, name);
    await this.#copyNew(node, to, name);
  }

  async #copyNew(node: VfsNode, to: VfsNode, name: string): Promise<void> {
    const status = await this.#source.status(node);
    if (node.type === 'symlink') {
      const target = await this.#source.readLink(node);
      await this.#target.release(await this.#target.createSymlink(to, name, target, status));
      return;
    }
    // Devices of an archive are nothing here, and a file without a size may have no end.
    if (node.type !== 'file' || status.unsized === true) return;
    const made = await this.#target.createFile(to, name, status);
    try {
      await this.#copyContent(node, made);
      await this.#target.setAttributes(made, { ...NO_CHANGE, modifiedMs: status.modifiedMs });
    } finally {
      await this.#target.release(made);
    }
  }

  async #copyContent(from: VfsNode, to: VfsNode): Promise<void> {
    const bytes = new Uint8Array(COPY_BYTES);
    for (let position = 0; ; ) {
      const length = await this.#source.read(from, position, bytes);
      if (length === 0) return;
      for (let done = 0; done < length; ) {
        done += await this.#target.write(to, position + done, bytes.subarray(done, length));
      }
      position += length;
    }
  }
}

const NO_CHANGE = { mode: undefined, uid: undefined, gid: undefined, accessedMs: undefined };

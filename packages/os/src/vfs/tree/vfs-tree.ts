/** The whole tree as a file system, behind the interface of File_system backends. */
import { settleAll } from '@ginit/core/async';
import {
  type AttributeChangeData,
  type BackendListing,
  type BackendNewNode,
  type BackendSpace,
  type BackendStatus,
  type FileSystemBackend,
  type FileSystemErrorCode,
  tellChanged,
} from '@ginit/core/file_system';
import { codeOf, fileSystemFailure } from '../../lib/file-system-failure.ts';
import type { Part, PartNode } from '../part.ts';
import { findAll, layerOf, layersOf, listLayers, typeOf, withFound } from './layers.ts';
import { spaceOf } from './space.ts';
import { VfsNode, VfsNodes } from './vfs-nodes.ts';
import { VirtualDirectory } from './virtual-directory.ts';

/** Refusals after which what is made goes to the next part. */
const NOT_TAKEN: readonly (FileSystemErrorCode | undefined)[] = ['Permission_denied', 'Unsupported'];

/** The tree. */
export class VfsTree implements FileSystemBackend<VfsNode> {
  readonly writeable = true;
  readonly root: VfsNode;
  readonly #top: VirtualDirectory;
  readonly #nodes = new VfsNodes();
  readonly #madeMs: number;

  /** `madeMs` is the time that directories of the config show. */
  constructor(top: VirtualDirectory, madeMs: number) {
    this.#top = top;
    this.#madeMs = madeMs;
    this.root = this.#nodes.root(top);
  }

  /** Tells the watchers of what a part has changed by itself. */
  follow(part: Part): void {
    part.onChange(({ node, inode }) => {
      const any = node === undefined && inode === undefined;
      const shown = this.#nodes.of(part).filter((seen) => any || (node && seen.shows(node)));
      for (const seen of shown) this.#tell(seen, inode);
      // Those who hear of all changes may know a node that nobody holds.
      if (shown.length === 0) tellChanged(this, {}, inode ?? 0);
    });
  }

  /** The directories of the config are others: all that watch one look again. */
  changed(): void {
    for (const node of this.#nodes.all) {
      if (node.first instanceof VirtualDirectory) this.#tell(node);
    }
  }

  hold(node: VfsNode): void {
    this.#nodes.hold(node);
  }

  release(node: VfsNode): Promise<void> {
    return this.#nodes.release(node);
  }

  async status(node: VfsNode): Promise<BackendStatus> {
    const { first } = node;
    if (!(first instanceof VirtualDirectory)) return first.part.status(first);
    const { inode, representative } = first;
    // What lies there may be gone for a while; the directory of the config stays.
    const status = await representative?.status(representative.root).catch(() => undefined);
    if (status) return { ...status, inode };
    const times = { modifiedMs: this.#madeMs, accessedMs: this.#madeMs, changedMs: this.#madeMs };
    const owner = { uid: 0, gid: 0, links: 2, mode: 0o755 };
    return { type: 'directory', sizeBytes: 0, allocatedBytes: 0, inode, ...owner, ...times };
  }

  async setAttributes(node: VfsNode, change: Omit<AttributeChangeData, 'sizeBytes'>): Promise<void> {
    const { first } = node;
    const on = first instanceof VirtualDirectory ? first.representative?.root : first;
    if (!on) throw fileSystemFailure('Permission_denied', 'a directory of the config');
    await on.part.setAttributes(on, change);
  }

  async read(node: VfsNode, position: number, into: Uint8Array): Promise<number> {
    const file = fileOf(node);
    return file.part.read(file, position, into);
  }

  async write(node: VfsNode, position: number, from: Uint8Array): Promise<number> {
    const file = fileOf(node);
    return file.part.write(file, position, from);
  }

  async append(node: VfsNode, from: Uint8Array): Promise<number> {
    const file = fileOf(node);
    return file.part.append(file, from);
  }

  async readReady(node: VfsNode, ended: AbortSignal): Promise<void> {
    const file = fileOf(node);
    await file.part.readReady(file, ended);
  }

  async writeReady(node: VfsNode, ended: AbortSignal): Promise<void> {
    const file = fileOf(node);
    await file.part.writeReady(file, ended);
  }

  async truncate(node: VfsNode, sizeBytes: number): Promise<void> {
    const file = fileOf(node);
    await file.part.truncate(file, sizeBytes);
  }

  async readLink(node: VfsNode): Promise<string> {
    const link = fileOf(node);
    return link.part.readLink(link);
  }

  async lookup(directory: VfsNode, name: string): Promise<VfsNode> {
    const found = await findAll(layersIn(directory), name);
    const [first, ...others] = found.map(({ component }) => component);
    if (!first) throw fileSystemFailure('Lookup_failed');
    return this.#nodes.holding(first, others);
  }

  async list(directory: VfsNode, cursor: number, entriesMax: number): Promise<BackendListing> {
    return listLayers(layersIn(directory), cursor, entriesMax);
  }

  createFile(directory: VfsNode, name: string, what?: BackendNewNode): Promise<VfsNode> {
    return this.#make(directory, name, (at) => at.part.createFile(at, name, what));
  }

  createDirectory(directory: VfsNode, name: string, what?: BackendNewNode): Promise<VfsNode> {
    return this.#make(directory, name, (at) => at.part.createDirectory(at, name, what));
  }

  createSymlink(directory: VfsNode, name: string, target: string, what?: BackendNewNode): Promise<VfsNode> {
    return this.#make(directory, name, (at) => at.part.createSymlink(at, name, target, what));
  }

  async link(directory: VfsNode, name: string, target: VfsNode): Promise<void> {
    const layers = layersIn(directory);
    await requireFree(directory, name);
    if (target.type === 'directory') throw fileSystemFailure('Is_a_directory');
    const node = fileOf(target);
    const at = layerOf(layers, node.part);
    if (!at) throw fileSystemFailure('Cross_device');
    await node.part.link(at, name, node);
  }

  async unlink(directory: VfsNode, name: string): Promise<void> {
    await withFound(layersIn(directory), name, async ([first]) => {
      if (!first) throw fileSystemFailure('Lookup_failed');
      if (first.layer.kind === 'dir') throw fileSystemFailure('Is_a_directory');
      await first.layer.node.part.unlink(first.layer.node, name);
    });
  }

  async removeDirectory(directory: VfsNode, name: string): Promise<void> {
    await withFound(layersIn(directory), name, async (found) => {
      const [first] = found;
      if (!first) throw fileSystemFailure('Lookup_failed');
      if (typeOf(first.component) !== 'directory') throw fileSystemFailure('Not_a_directory');
      const places: PartNode[] = [];
      for (const { layer } of found) {
        if (layer.kind === 'dir') throw fileSystemFailure('Busy', 'a directory of the config');
        places.push(layer.node);
      }
      if (places.length > 1) {
        // Each of them has to be empty before the first one goes.
        const { entries } = await listLayers(layersOf(found.map(({ component }) => component)), 0, 1);
        if (entries.length > 0) throw fileSystemFailure('Not_empty');
        if (places.some(({ part }) => !part.writeable)) throw fileSystemFailure('Permission_denied');
      }
      for (const place of places.toReversed()) await place.part.removeDirectory(place, name);
    });
  }

  async rename(
    directory: VfsNode,
    name: string,
    toDirectory: VfsNode,
    toName: string,
    replace: boolean,
  ): Promise<void> {
    const toLayers = layersIn(toDirectory);
    await withFound(layersIn(directory), name, ([source, ...below]) =>
      withFound(toLayers, toName, async (targets) => {
        if (!source) throw fileSystemFailure('Lookup_failed');
        if (source.layer.kind === 'dir') throw fileSystemFailure('Busy', 'a directory of the config');
        const { node: from } = source.layer;
        const [target] = targets;
        if (target && !replace) throw fileSystemFailure('Node_already_exists');
        if (target?.layer.kind === 'dir') throw fileSystemFailure('Busy', 'a directory of the config');
        // A directory that lies over others would leave these behind.
        if (below.length > 0 || targets.length > 1) throw fileSystemFailure('Cross_device');
        const to = target ? target.layer.node : layerOf(toLayers, from.part);
        if (to?.part !== from.part) throw fileSystemFailure('Cross_device');
        await from.part.rename(from, name, to, toName, replace);
      }),
    );
  }

  async sync(): Promise<void> {
    await settleAll(Array.from(this.#top.parts(), (part) => part.sync()));
  }

  space(): Promise<BackendSpace> {
    return spaceOf([...this.#top.parts()]);
  }

  errorCode(error: unknown): FileSystemErrorCode | undefined {
    const code = codeOf(error);
    if (code) return code;
    for (const part of this.#top.parts()) {
      const known = part.errorCode(error);
      if (known) return known;
    }
    return undefined;
  }

  /** Has something made by the first part that takes it. */
  async #make(directory: VfsNode, name: string, make: (at: PartNode) => Promise<PartNode>): Promise<VfsNode> {
    const layers = layersIn(directory);
    await requireFree(directory, name);
    for (const layer of layers) {
      if (layer.kind === 'dir' || !layer.node.part.writeable) continue;
      try {
        return await this.#nodes.holding(await make(layer.node), []);
      } catch (error) {
        if (!NOT_TAKEN.includes(this.errorCode(error))) throw error;
      }
    }
    throw fileSystemFailure('Permission_denied', 'nothing here takes it');
  }

  #tell(node: VfsNode, inode = 0): void {
    tellChanged(this, node, node.first instanceof VirtualDirectory ? node.first.inode : inode);
  }
}

function layersIn(directory: VfsNode): ReturnType<typeof layersOf> {
  if (directory.type !== 'directory') throw fileSystemFailure('Not_a_directory');
  return layersOf(directory.components);
}

async function requireFree(directory: VfsNode, name: string): Promise<void> {
  await withFound(layersIn(directory), name, async (found) => {
    if (found.length > 0) throw fileSystemFailure('Node_already_exists');
  });
}

function fileOf({ first }: VfsNode): PartNode {
  if (first instanceof VirtualDirectory) throw fileSystemFailure('Is_a_directory');
  return first;
}

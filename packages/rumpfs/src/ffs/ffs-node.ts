import type { NodeType } from '../vnode/attributes.ts';
import type { FileSystemNode } from '../vnode/file-system.ts';
import { InodeNode } from '../volume/inode-node.ts';
import { cutInSteps } from './cut-in-steps.ts';
import { destroyUnnamed } from './destroy-inode.ts';
import { Directory } from './directory.ts';
import { FFS_NAMES } from './ffs-names.ts';
import { prefetchFile, readFile } from './file-read.ts';
import { fillLast } from './file-tail.ts';
import { tolerateFull, truncateFile, writeFile } from './file-write.ts';
import { type Inode, requireMutable } from './inode.ts';
import { loadInode, storeInode } from './inode-table.ts';
import type { OpenInode } from './open-inode.ts';
import type { Parts } from './parts.ts';
import { readSymlink, requireTargetFits, writeSymlink } from './symlink.ts';

/** An inode of an FFS as the vnode layer sees it. */
export class FfsNode extends InodeNode<Inode, number, OpenInode> {
  constructor(parts: Parts, inode: Inode) {
    const open = { parts, inode, directory: new Directory(parts, inode) };
    super(open, FFS_NAMES, prefetchFile(parts.volume, inode));
  }

  async truncate(sizeBytes: number, nowMs: number): Promise<void> {
    const { inode, parts } = this.open;
    requireMutable(inode);
    await cutInSteps(parts, inode, sizeBytes);
    const filled = await this.change(() => truncateFile(parts, inode, sizeBytes, nowMs));
    if (filled || !parts.volume.journalled) return;
    // What was freed can be used after a commit, which waits for the operation that frees it.
    await tolerateFull(() =>
      this.change(async () => {
        await fillLast(parts, inode);
        await storeInode(parts.volume, inode);
      }),
    );
  }

  readLink(): Promise<string> {
    return readSymlink(this.open.parts.volume, this.open.inode);
  }

  deactivate(): void {
    // Nothing is held for an open file alone.
  }

  async destroy(nowMs: number): Promise<void> {
    const { inode, parts } = this.open;
    if (!parts.volume.departures.abandon(inode, nowMs)) await destroyUnnamed(parts, inode);
  }

  protected requireMutable(appending: boolean): void {
    requireMutable(this.open.inode, appending);
  }

  protected async store(): Promise<void> {
    await storeInode(this.open.parts.volume, this.open.inode);
  }

  protected readBytes(offset: number, into: Uint8Array): Promise<number> {
    return readFile(this.open.parts.volume, this.open.inode, offset, into);
  }

  protected writeBytes(offset: number, from: Uint8Array, nowMs: number): Promise<number> {
    return writeFile(this.open.parts, this.open.inode, offset, from, nowMs);
  }

  protected get changeBytesMax(): number | undefined {
    const { journalling, superblock } = this.open.parts.volume;
    return journalling === undefined ? undefined : journalling.blocksOfStep * superblock.blockSizeBytes;
  }

  protected nodeOf(inode: Inode): FileSystemNode {
    return new FfsNode(this.open.parts, inode);
  }

  protected async loadType(id: number): Promise<NodeType> {
    return (await loadInode(this.open.parts.volume, id)).type;
  }

  protected fillDirectory(inode: Inode): Promise<void> {
    return new Directory(this.open.parts, inode).initialise(this.id);
  }

  protected requireTargetFits(target: Uint8Array): void {
    requireTargetFits(this.open.parts.volume, target);
  }

  protected async fillSymlink(inode: Inode, target: Uint8Array, nowMs: number): Promise<void> {
    await writeSymlink(this.open.parts, inode, target, nowMs);
  }
}

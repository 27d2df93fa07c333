import type { NodeType } from '../vnode/attributes.ts';
import type { FileSystemNode } from '../vnode/file-system.ts';
import { InodeNode } from '../volume/inode-node.ts';
import { destroyInode } from './destroy-inode.ts';
import type { RecordPlace } from './directory-record.ts';
import { Directory } from './directory.ts';
import { EXT_NAMES } from './ext-names.ts';
import { readFile } from './file-read.ts';
import { truncateFile, writeFile } from './file-write.ts';
import { type Inode, requireMutable } from './inode.ts';
import { loadInode, storeInode } from './inode-table.ts';
import type { OpenInode } from './open-inode.ts';
import type { Parts } from './parts.ts';
import { prefetchFile } from './prefetch-file.ts';
import { readSymlink, requireTargetFits, writeSymlink } from './symlink.ts';

/** With a journal a long write is done in pieces, each of which is one change. */
const CHANGE_BYTES_MAX = 1024 * 1024;
/** A file with more sectors than this may be cut in several transactions. */
const SECTORS_AT_ONCE_MAX = 2048;

/** An inode of ext2, ext3 or ext4 as the vnode layer sees it. */
export class ExtNode extends InodeNode<Inode, RecordPlace, OpenInode> {
  constructor(parts: Parts, inode: Inode) {
    const open = { parts, inode, directory: new Directory(parts, inode) };
    super(open, EXT_NAMES, prefetchFile(parts.volume, inode));
  }

  truncate(sizeBytes: number, nowMs: number): Promise<void> {
    const { inode, parts } = this.open;
    const { volume, blocks, orphans } = parts;
    requireMutable(inode);
    return this.change(async () => {
      // What is long is cut in several transactions. If the power fails in between, the rest is cut
      // at the next mount.
      const lists = volume.journalled && sizeBytes < inode.sizeBytes && inode.sectors > SECTORS_AT_ONCE_MAX;
      if (lists) await orphans.add(inode);
      try {
        await truncateFile(volume, blocks, inode, sizeBytes, nowMs);
      } finally {
        if (lists) await orphans.takeBack(inode);
      }
    });
  }

  readLink(): Promise<string> {
    return readSymlink(this.open.parts.volume, this.open.inode);
  }

  deactivate(): void {
    this.open.parts.blocks.reservations.release(this.open.inode);
  }

  async destroy(nowMs: number): Promise<void> {
    const { inode, parts } = this.open;
    await this.change(async () => {
      if (!parts.volume.departures.abandon(inode, nowMs)) await destroyInode(parts, inode, nowMs);
    });
  }

  override reclaim(): void {
    super.reclaim();
    this.open.parts.blocks.reservations.release(this.open.inode);
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
    const { inode, parts } = this.open;
    return writeFile(parts.volume, parts.blocks, inode, offset, from, nowMs);
  }

  protected get changeBytesMax(): number | undefined {
    return this.open.parts.volume.journalled ? CHANGE_BYTES_MAX : undefined;
  }

  protected nodeOf(inode: Inode): FileSystemNode {
    return new ExtNode(this.open.parts, inode);
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
    const { volume, blocks } = this.open.parts;
    await writeSymlink(volume, blocks, inode, target, nowMs);
  }
}

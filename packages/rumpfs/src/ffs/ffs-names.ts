import { FsError } from '../errors.ts';
import { DIRECTORY_LINKS_MIN, NameChanges } from '../volume/name-changes.ts';
import { destroyInode } from './destroy-inode.ts';
import { type Inode, requireMutable } from './inode.ts';
import { storeInode, storeNewInode } from './inode-table.ts';
import type { OpenInode } from './open-inode.ts';

/** A count of 16 bits with a sign. */
const LINKS_MAX = 32_767;

/** How names change on an FFS. A place is the byte of the directory at which a record begins. */
class FfsNames extends NameChanges<Inode, number, OpenInode> {
  protected readonly requireMutable = requireMutable;

  protected async store({ parts, inode }: OpenInode): Promise<void> {
    await storeInode(parts.volume, inode);
  }

  protected requireLinkLeft({ inode }: OpenInode): void {
    if (inode.linkCount < LINKS_MAX) return;
    throw new FsError('TooManyLinks', `${inode.name} has ${inode.linkCount} links`);
  }

  requireRoomForDirectory(open: OpenInode): void {
    this.requireLinkLeft(open);
  }

  protected addChildDirectory({ inode }: OpenInode): void {
    inode.linkCount += 1;
  }

  protected dropChildDirectory({ inode }: OpenInode): void {
    inode.linkCount = Math.max(DIRECTORY_LINKS_MIN, inode.linkCount - 1);
  }

  /**
   * Without a log the node stays as it is on the device until its names are gone there, too; the
   * names of one that was made since the last pass of write-back were never there. With a log the
   * name and the links go together.
   */
  protected async storeUnnamed({ inode, parts }: OpenInode): Promise<void> {
    const { cache, departures, journalling } = parts.volume;
    if (journalling !== undefined) journalling.log.setUnnamed(inode.id, inode.mode);
    else if (inode.madeAfterPasses < cache.passes) departures.add(inode);
    await storeInode(parts.volume, inode);
  }

  protected async allocate({ inode, parts }: OpenInode, isDirectory: boolean, nowMs: number): Promise<Inode> {
    const made = await parts.inodes.allocate(inode, isDirectory);
    if (parts.volume.superblock.revision === 2) made.bornMs = nowMs;
    return made;
  }

  protected async storeNew({ parts }: OpenInode, inode: Inode): Promise<void> {
    await storeNewInode(parts.volume, inode);
  }

  protected async storeFilled({ parts }: OpenInode, inode: Inode): Promise<void> {
    await storeInode(parts.volume, inode);
  }

  protected destroyNew({ parts }: OpenInode, inode: Inode): Promise<void> {
    return destroyInode(parts, inode);
  }
}

export const FFS_NAMES = new FfsNames();

import { DIRECTORY_LINKS_MIN, NameChanges } from '../volume/name-changes.ts';
import { destroyInode } from './destroy-inode.ts';
import type { RecordPlace } from './directory-record.ts';
import { initialiseExtents } from './extent-tree.ts';
import { INCOMPATIBLE_FEATURE, READ_ONLY_FEATURE } from './features.ts';
import { FsError } from '../errors.ts';
import { type Inode, INODE_FLAG, requireMutable } from './inode.ts';
import { storeInode, storeNewInode } from './inode-table.ts';
import type { OpenInode } from './open-inode.ts';
import type { Volume } from './volume.ts';

const LINKS_MAX_EXT2 = 32_000;
const LINKS_MAX_EXT4 = 65_000;
/** The count of a directory that has more directories in it than can be counted. */
const UNCOUNTED = 1;

/** How names change on ext2, ext3 and ext4. */
class ExtNames extends NameChanges<Inode, RecordPlace, OpenInode> {
  protected readonly requireMutable = requireMutable;

  protected async store({ parts, inode }: OpenInode): Promise<void> {
    await storeInode(parts.volume, inode);
  }

  protected requireLinkLeft({ parts, inode }: OpenInode): void {
    if (inode.linkCount < linksMax(parts.volume)) return;
    throw new FsError('TooManyLinks', `${inode.name} has ${inode.linkCount} links`);
  }

  requireRoomForDirectory(open: OpenInode): void {
    if (!isUncountable(open)) this.requireLinkLeft(open);
  }

  protected addChildDirectory(open: OpenInode): void {
    const { inode, parts } = open;
    if (inode.linkCount === UNCOUNTED) return;
    inode.linkCount += 1;
    if (inode.linkCount >= linksMax(parts.volume) && isUncountable(open)) inode.linkCount = UNCOUNTED;
  }

  protected dropChildDirectory({ inode }: OpenInode): void {
    if (inode.linkCount === UNCOUNTED) return;
    inode.linkCount = Math.max(DIRECTORY_LINKS_MIN, inode.linkCount - 1);
  }

  /**
   * Without a journal the node stays as it is on the device until its names are gone there, too;
   * the names of one that was made since the last pass of write-back were never there. With a
   * journal the name and the links go together, so the node is an orphan from now on.
   */
  protected async storeUnnamed({ inode, parts }: OpenInode, inUse: boolean): Promise<void> {
    const { cache, departures, journalled } = parts.volume;
    const lingers = !journalled && inode.madeAfterPasses < cache.passes;
    if (lingers) departures.add(inode);
    if (!lingers && (inUse || journalled)) await parts.orphans.add(inode);
    else await storeInode(parts.volume, inode);
  }

  protected async allocate({ inode, parts }: OpenInode, isDirectory: boolean): Promise<Inode> {
    const made = await parts.inodes.allocate(inode, isDirectory);
    if (parts.volume.superblock.has(INCOMPATIBLE_FEATURE.extents)) {
      made.flags |= INODE_FLAG.extents;
      initialiseExtents(made);
    }
    return made;
  }

  protected async storeNew({ parts }: OpenInode, inode: Inode): Promise<void> {
    await storeNewInode(parts.volume, inode);
  }

  protected async storeFilled({ parts }: OpenInode, inode: Inode): Promise<void> {
    await storeInode(parts.volume, inode);
  }

  protected destroyNew({ parts }: OpenInode, inode: Inode, nowMs: number): Promise<void> {
    return destroyInode(parts, inode, nowMs);
  }
}

export const EXT_NAMES = new ExtNames();

function linksMax({ superblock }: Volume): number {
  return superblock.formatName === 'ext4' ? LINKS_MAX_EXT4 : LINKS_MAX_EXT2;
}

/** Only a directory with a hash tree may lose count of the directories in it, as in the kernel. */
function isUncountable({ parts, inode }: OpenInode): boolean {
  const { superblock } = parts.volume;
  return (
    superblock.allows(READ_ONLY_FEATURE.directoryLinks) && (inode.flags & INODE_FLAG.directoryIndex) !== 0
  );
}

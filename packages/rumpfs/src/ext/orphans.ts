import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Volume } from './volume.ts';

/**
 * Files that are open but have lost their last name. The superblock names the newest, and the
 * deletion time of each inode is the number of the next one, so that whoever mounts or checks the
 * device after a crash can free them. The list changes in one turn, so no lock is needed.
 */
export class Orphans {
  readonly #volume: Volume;
  /**
   * The orphans from the oldest to the newest: the deletion time of each is the number of the one
   * before it.
   */
  readonly #inodes: Inode[] = [];

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  async add(inode: Inode): Promise<void> {
    inode.deletedTime = this.#inodes.at(-1)?.id ?? 0;
    this.#inodes.push(inode);
    this.#volume.superblock.lastOrphan = inode.id;
    await storeInode(this.#volume, inode);
  }

  /** Takes an inode out of the list that has its names still, or again. */
  async takeBack(inode: Inode): Promise<void> {
    await this.remove(inode);
    inode.deletedTime = 0;
    await storeInode(this.#volume, inode);
  }

  /** Takes an inode out of the list if it is in it. */
  async remove(inode: Inode): Promise<void> {
    const index = this.#inodes.indexOf(inode);
    if (index < 0) return;
    this.#inodes.splice(index, 1);
    const newer = this.#inodes[index];
    if (newer === undefined) {
      this.#volume.superblock.lastOrphan = this.#inodes.at(-1)?.id ?? 0;
    } else {
      newer.deletedTime = this.#inodes[index - 1]?.id ?? 0;
      await storeInode(this.#volume, newer);
    }
  }
}

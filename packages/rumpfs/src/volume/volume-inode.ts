import type { NodeType } from '../vnode/attributes.ts';
import type { Leaver } from './departures.ts';

const TYPE_OF_MODE: Readonly<Record<number, NodeType>> = {
  1: 'fifo',
  2: 'character-device',
  4: 'directory',
  6: 'block-device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

/** The kind of node that a mode means; undefined for a mode that no node has. */
export function typeOfMode(mode: number): NodeType | undefined {
  return TYPE_OF_MODE[mode >>> 12];
}

/**
 * What inodes in memory have in common, whichever format they are of. Whoever changes a field
 * stores the inode before the operation ends.
 */
export abstract class VolumeInode implements Leaver {
  readonly id: number;
  mode = 0;
  uid = 0;
  gid = 0;
  sizeBytes = 0;
  linkCount = 0;
  /** All that it occupies, blocks of pointers and of attributes included, in units of 512 bytes. */
  sectors = 0;
  flags = 0;
  generation = 0;
  accessedMs = 0;
  modifiedMs = 0;
  changedMs = 0;
  /** Undefined where the format does not say it. */
  bornMs: number | undefined = undefined;
  /**
   * Whether its last name is gone in memory, but perhaps not on the device, where it keeps a link.
   */
  lingering = false;
  /** The passes of write-back that had begun when it was made; -1 for one from the device. */
  madeAfterPasses = -1;

  constructor(id: number) {
    this.id = id;
  }

  get type(): NodeType {
    const type = typeOfMode(this.mode);
    if (type === undefined)
      throw new Error('rumpfs: broken invariant: the mode was checked when it was loaded');
    return type;
  }

  /** The name of the inode in messages. */
  get name(): string {
    return `inode ${this.id}`;
  }
}

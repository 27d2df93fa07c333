import type { Findings } from '../report.ts';
import type { Claims } from './claims.ts';
import { type Disk, viewOf } from './disk.ts';
import type { Geometry } from './geometry.ts';
import type { Group } from './groups.ts';
import { Inode } from './inode.ts';
import type { InodeStates } from './states.ts';

export const ROOT = 2;

/** What the passes of a check share. */
export interface Context {
  readonly geometry: Geometry;
  readonly disk: Disk;
  readonly found: Findings;
  readonly groups: readonly Group[];
  readonly claims: Claims;
  readonly inodes: InodeStates;
  /** The blocks of each directory, as pairs of a logical and a real number. */
  readonly directories: Map<number, number[]>;
  /** Inodes that wait to be freed, or to be cut, at the next mount. */
  readonly orphans: ReadonlySet<number>;
  /** Inodes of the file system itself, which have no names. */
  readonly hidden: ReadonlySet<number>;
  /** How often inodes that hold values of attributes are used. */
  readonly valueUses: Map<number, number>;
}

/** Reads an inode, whatever it holds. Undefined, with a finding, where its table cannot be read. */
export async function inodeAt(
  geometry: Geometry,
  disk: Disk,
  groups: readonly Group[],
  id: number,
): Promise<Inode | undefined> {
  if (id < 1 || id > geometry.inodes) return undefined;
  const group = Math.floor((id - 1) / geometry.inodesPerGroup);
  const at = ((id - 1) % geometry.inodesPerGroup) * geometry.inodeBytes;
  const block = (groups[group]?.table ?? 0) + Math.floor(at / geometry.blockBytes);
  const bytes = await disk.block(block, `inode ${id}`);
  const start = at % geometry.blockBytes;
  return bytes === undefined
    ? undefined
    : new Inode(geometry, id, bytes.slice(start, start + geometry.inodeBytes));
}

/** Follows the list of orphans, which goes on in the field for the time of deletion. */
export async function readOrphans(
  geometry: Geometry,
  disk: Disk,
  groups: readonly Group[],
): Promise<ReadonlySet<number>> {
  const orphans = new Set<number>();
  for (let id = geometry.long(76) > 0 ? geometry.long(232) : 0; id !== 0; ) {
    if (orphans.has(id) || id > geometry.inodes || id < geometry.firstInode) {
      disk.found.damage(`superblock: list of orphans: inode ${id} ${orphans.has(id) ? 'again' : 'is none'}`);
      break;
    }
    orphans.add(id);
    const inode = await inodeAt(geometry, disk, groups, id);
    if (inode === undefined) break;
    id = inode.deleted;
  }
  if (orphans.size > 0)
    disk.found.harmless(`superblock: list of orphans: ${orphans.size} inodes wait to be freed or cut`);
  return orphans;
}

const ORPHAN_FILE_MAGIC = 0x0b10_ca04;

/** The inodes in a block of an orphan file. */
export function orphansInBlock(bytes: Uint8Array): number[] | undefined {
  const view = viewOf(bytes);
  if (view.getUint32(bytes.length - 8, true) !== ORPHAN_FILE_MAGIC) return undefined;
  const ids: number[] = [];
  for (let at = 0; at < bytes.length - 8; at += 4)
    if (view.getUint32(at, true) !== 0) ids.push(view.getUint32(at, true));
  return ids;
}

/** The inodes that have no names by design: quotas, and the file with orphans. */
export function hiddenInodes(geometry: Geometry): ReadonlySet<number> {
  const hidden = new Set<number>();
  if (geometry.has('quota')) for (const offset of [576, 580]) hidden.add(geometry.long(offset));
  if (geometry.has('project')) hidden.add(geometry.long(620));
  if (geometry.knows('orphanFile')) hidden.add(geometry.long(640));
  hidden.delete(0);
  return hidden;
}

import { type BackendSpace, NAME_BYTES_MAX } from '@ginit/core/file_system';
import type { Part } from '../part.ts';

const BLOCK_BYTES_DEFAULT = 4096;

/**
 * The space of a tree: what the parts that can be written have together, else what is in those that
 * are read. A part that cannot say it now is left out.
 */
export async function spaceOf(parts: readonly Part[]): Promise<BackendSpace> {
  const trees = parts.filter(({ isTree }) => isTree);
  const writeable = trees.filter((part) => part.writeable);
  const asked = writeable.length > 0 ? writeable : trees;
  const spaces = await Promise.all(asked.map((part) => part.space().catch(() => undefined)));
  let sharedBytes = 0;
  const known: BackendSpace[] = [];
  for (const [index, space] of spaces.entries()) {
    if (!space) continue;
    // What several have together counts once.
    const counted = asked[index]?.sharesSpace ? Math.min(space.freeBytes, sharedBytes) : 0;
    if (asked[index]?.sharesSpace) sharedBytes = Math.max(sharedBytes, space.freeBytes);
    const { freeBytes, totalBytes } = space;
    known.push({ ...space, freeBytes: freeBytes - counted, totalBytes: totalBytes - counted });
  }
  const sum = (of: (space: BackendSpace) => number): number =>
    Math.min(
      Number.MAX_SAFE_INTEGER,
      known.reduce((total, space) => total + of(space), 0),
    );
  return {
    totalBytes: sum((space) => space.totalBytes),
    freeBytes: sum((space) => space.freeBytes),
    totalNodes: sum((space) => space.totalNodes),
    freeNodes: sum((space) => space.freeNodes),
    blockBytes: known[0]?.blockBytes ?? BLOCK_BYTES_DEFAULT,
    nameBytesMax: Math.min(NAME_BYTES_MAX, ...known.map((space) => space.nameBytesMax)),
  };
}

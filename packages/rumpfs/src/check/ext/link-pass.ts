/**
 * The third and fourth pass: whether each directory hangs in the tree, and whether each inode has
 * as many names as it says.
 */
import { type Context, ROOT } from './context.ts';
import type { Parents } from './directory-pass.ts';

const LINKS_MAX = 65_000;

/** Whether each directory leads to the root, by entries, and its ".." to where its entry is. */
export function checkTree({ directories, found }: Context, { byEntry, byDots }: Parents): void {
  const reached = new Set<number>([ROOT]);
  for (const id of directories.keys()) {
    const way: number[] = [];
    let at: number | undefined = id;
    const seen = new Set<number>();
    while (at !== undefined && !reached.has(at) && !seen.has(at)) {
      seen.add(at);
      way.push(at);
      at = byEntry.get(at);
    }
    if (at !== undefined && reached.has(at)) for (const one of way) reached.add(one);
    else if (at !== undefined) found.damage(`directory ${id}: contains itself`);
  }
  for (const [id, dots] of byDots) {
    const parent = id === ROOT ? ROOT : byEntry.get(id);
    if (parent !== undefined && dots !== parent)
      found.damage(`directory ${id}: ".." leads to inode ${dots}, not ${parent}`);
  }
}

/** Whether each inode in use has names, and as many as it says. */
export function checkLinks(context: Context): void {
  const { geometry, inodes, found, hidden, orphans, valueUses } = context;
  for (const id of inodes.used()) {
    if (id < geometry.firstInode && id !== ROOT) continue;
    if (hidden.has(id) || valueUses.has(id)) continue;
    const [said, counted] = [inodes.said(id), inodes.counted(id)];
    const isDirectory = inodes.kind(id) === 'directory';
    // A directory's own "." counts, but does not lead to it from anywhere.
    const named = counted > (isDirectory ? 1 : 0);
    if (!named && !orphans.has(id)) {
      found.damage(`inode ${id}: has no name`);
      continue;
    }
    if (orphans.has(id) && said === 0) {
      if (named && !isDirectory) found.damage(`inode ${id}: waits to be freed, but has a name`);
      continue;
    }
    const expected = isDirectory && counted > LINKS_MAX ? 1 : counted;
    if (said !== expected) found.harmless(`inode ${id}: ${said} links, but has ${counted} names`);
  }
}

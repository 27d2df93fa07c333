import type { Context } from './context.ts';
import { inodeAt } from './context.ts';
import { walkBlocks } from './walk.ts';

/** The most owners of one cluster that are named. */
const OWNERS_MAX = 8;

/** Finds out which inodes have the clusters that more than one has, and names them. */
export async function nameSharers(context: Context): Promise<void> {
  const { geometry, claims, disk, groups, inodes, found } = context;
  if (claims.shared.size === 0) return;
  const owners = new Map<number, { readonly block: number; readonly names: Set<string> }>();
  const note = (block: number, name: string): void => {
    const cluster = geometry.clusterOf(block);
    if (!claims.shared.has(cluster)) return;
    const entry = owners.get(cluster) ?? { block, names: new Set<string>() };
    owners.set(cluster, entry);
    if (claims.isStructure(block)) entry.names.add('the file system itself');
    if (entry.names.size < OWNERS_MAX) entry.names.add(name);
  };
  for (const id of inodes.used()) {
    const inode = await inodeAt(geometry, disk, groups, id);
    if (inode === undefined) continue;
    const nodes = new Set<number>();
    await walkBlocks(disk, inode, {
      node(block) {
        if (!geometry.inside(block, 1) || nodes.has(block)) return false;
        nodes.add(block);
        note(block, inode.name);
        return !claims.isStructure(block);
      },
      data(_logical, block, count) {
        if (!geometry.inside(block, count)) return;
        for (let index = 0; index < count; index += 1) note(block + index, inode.name);
      },
      wrong() {},
    });
    if (inode.attributeBlock !== 0) note(inode.attributeBlock, inode.name);
  }
  for (const { block, names } of owners.values())
    found.damage(
      `block ${block}: belongs to ${[...names].join(' and to ')}${names.size > 1 ? '' : ', twice'}`,
    );
}

/** What speaks against a move. */
import { FsError } from '../errors.ts';
import { requireDirectory } from './requirements.ts';
import type { Vnode } from './vnode.ts';

/** The longest chain of `..` that is followed; no honest path can build a longer one. */
const DEPTH_MAX = 65_536;

/** The tree in which something moves. Whoever gets a vnode holds it. */
export interface MoveTree {
  readonly root: Vnode;
  get(id: number): Promise<Vnode>;
  release(vnode: Vnode): Promise<void>;
}

/** A move of a node into a directory, where it may replace another one. */
export interface Move {
  readonly source: Vnode;
  readonly toDirectory: Vnode;
  /** What has the new name so far. */
  readonly taken: Vnode | undefined;
  /** Whether `taken` may be replaced. */
  readonly replace: boolean;
  /** Whether both names are spelled alike. */
  readonly sameSpelling: boolean;
}

/**
 * Checks a move: no directory moves below itself, a node replaces only its own kind, and only if it
 * may.
 */
export async function requireMovable(tree: MoveTree, move: Move): Promise<void> {
  const { source, toDirectory, taken, replace, sameSpelling } = move;
  const replaced = taken === source ? undefined : taken;
  if (!replace && taken !== undefined && (replaced !== undefined || sameSpelling))
    throw new FsError('Exists', 'the new name exists');
  if (source === tree.root || replaced === tree.root) throw new FsError('Busy', 'the root stays');
  if (source.type === 'directory') {
    await requireNotBelow(tree, source, toDirectory);
    if (replaced !== undefined && replaced.type !== 'directory') {
      throw new FsError('NotDirectory', 'a directory does not replace a file');
    }
  } else if (replaced?.type === 'directory') {
    throw new FsError('IsDirectory', 'a file does not replace a directory');
  }
}

async function requireNotBelow(tree: MoveTree, ancestor: Vnode, directory: Vnode): Promise<void> {
  let id = directory.id;
  for (let depth = 0; id !== tree.root.id; depth += 1) {
    if (id === ancestor.id) throw new FsError('InvalidArgument', 'a directory cannot move below itself');
    if (depth > DEPTH_MAX)
      throw new FsError('Corrupt', `directory ${directory.id} does not lead up to the root`);
    const vnode = await tree.get(id);
    try {
      requireDirectory(vnode);
      id = await vnode.node.parent();
    } finally {
      await tree.release(vnode);
    }
  }
}

import type { NewNodeData } from '../declaration.ts';
import { checkedTarget, fileSystemFailure } from '../names.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';

const SET_GROUP = 0o2000;

/**
 * Makes a node, held. As in POSIX systems, a directory with the bit 02000 gives its group to what
 * is made in it, and to directories that bit, too.
 */
export async function madeIn<Node extends BackendNode>(
  backend: FileSystemBackend<Node>,
  parent: Node,
  name: string,
  { type, mode, uid, gid, target }: NewNodeData,
): Promise<Node> {
  if ((type === 'symlink') !== (target !== undefined))
    throw fileSystemFailure('Invalid_argument', 'a symbolic link, and nothing else, has a target');
  const above = await backend.status(parent);
  const inherits = (above.mode & SET_GROUP) !== 0;
  const inherited = inherits && type === 'directory' ? SET_GROUP : 0;
  const what = { mode: (mode & 0o7777) | inherited, uid, gid: inherits ? above.gid : gid };
  switch (type) {
    case 'file':
      return backend.createFile(parent, name, what);
    case 'directory':
      return backend.createDirectory(parent, name, what);
    case 'symlink':
      return backend.createSymlink(parent, name, checkedTarget(target ?? ''), what);
  }
}

import type { OpenMode } from '../declaration.ts';
import { fileSystemFailure } from '../names.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';
import { OpenNode } from './handle-table.ts';

const DIRECTORY_ACCESS = { readable: true, writeable: false } as const;

/** Whether a mode allows writing. */
export function writes(mode: OpenMode): boolean {
  return mode === 'write-only' || mode === 'read-write';
}

/** Opens a node as a file. Takes over the hold of `node`. */
export function openFile<Node extends BackendNode>(
  backend: FileSystemBackend<Node>,
  node: Node,
  mode: OpenMode,
): Promise<OpenNode<Node>> {
  return keeping(backend, node, () => {
    if (node.type === 'symlink') throw fileSystemFailure('Is_a_symlink');
    if (node.type === 'directory') throw fileSystemFailure('Is_a_directory');
    if (node.type !== 'file' && mode !== 'stat-only') throw fileSystemFailure('Unsupported', node.type);
    const readable = mode === 'read-only' || mode === 'read-write';
    return new OpenNode(node, 'file', { readable, writeable: writes(mode) });
  });
}

/** Opens a node as a directory. Takes over the hold of `node`. */
export function openDirectory<Node extends BackendNode>(
  backend: FileSystemBackend<Node>,
  node: Node,
): Promise<OpenNode<Node>> {
  return keeping(backend, node, () => {
    if (node.type === 'symlink') throw fileSystemFailure('Is_a_symlink');
    if (node.type !== 'directory') throw fileSystemFailure('Not_a_directory');
    return new OpenNode(node, 'directory', DIRECTORY_ACCESS);
  });
}

/** Gives a held node to the open node that `make` makes. If `make` throws, the node is released. */
async function keeping<Node extends BackendNode>(
  backend: FileSystemBackend<Node>,
  node: Node,
  make: () => OpenNode<Node>,
): Promise<OpenNode<Node>> {
  try {
    return make();
  } catch (error) {
    await backend.release(node);
    throw error;
  }
}

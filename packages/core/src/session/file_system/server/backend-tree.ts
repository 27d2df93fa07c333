import { NAME_BYTES_MAX } from '../declaration.ts';
import { encodeName, fileSystemFailure } from '../names.ts';
import { type WalkedTree, type WalkFailure, walkPath } from '../walk-path.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';

/**
 * A backend's nodes as a walk along a client's path sees them: names out of paths and links are
 * checked first.
 */
class BackendTree<Node extends BackendNode> implements WalkedTree<Node> {
  readonly #backend: FileSystemBackend<Node>;

  constructor(backend: FileSystemBackend<Node>) {
    this.#backend = backend;
  }

  hold(node: Node): void {
    this.#backend.hold(node);
  }

  release(node: Node): Promise<void> {
    return this.#backend.release(node);
  }

  async lookup(directory: Node, name: string): Promise<Node> {
    if (name.length * 3 > NAME_BYTES_MAX && encodeName(name).length > NAME_BYTES_MAX) {
      throw fileSystemFailure('Name_too_long');
    }
    return this.#backend.lookup(directory, name);
  }

  readLink(symlink: Node): Promise<string> {
    return this.#backend.readLink(symlink);
  }

  failure(why: WalkFailure): Error {
    switch (why) {
      case 'not a directory':
        return fileSystemFailure('Not_a_directory');
      case 'too many symbolic links':
        return fileSystemFailure('Too_many_symlinks');
      case 'an empty symbolic link':
        return fileSystemFailure('Lookup_failed', why);
    }
  }
}

/** The node at a checked path below `root`, as `walkPath` finds it. */
export function walkBackend<Node extends BackendNode>(
  backend: FileSystemBackend<Node>,
  root: Node,
  path: string,
  followLast: boolean,
): Promise<Node> {
  return walkPath(new BackendTree(backend), root, path, followLast);
}

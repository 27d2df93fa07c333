import { NAME_BYTES_MAX } from '../declaration.ts';
import { encodeName, fileSystemFailure } from '../names.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';

/** More symbolic links than this on one path are taken for a circle. */
const SYMLINKS_MAX = 40;

/**
 * Walks a path from the root of what a session may see. The way from there to where the walk stands is a stack of held
 * nodes: `..` takes one off and stops at the root, so it cannot leave, whatever is renamed meanwhile; an absolute
 * symbolic link empties the stack.
 */
class Walk<Node extends BackendNode> {
  readonly #backend: FileSystemBackend<Node>;
  readonly #root: Node;
  /** Held; the root is not on it. */
  readonly #way: Node[] = [];
  /** Components yet to be walked, the next one last. */
  #left: string[];
  #symlinks = 0;

  constructor(backend: FileSystemBackend<Node>, root: Node, path: string) {
    this.#backend = backend;
    this.#root = root;
    this.#left = path.split('/').toReversed();
  }

  /** The node at the path's end, held for the caller. */
  async finish(followLast: boolean): Promise<Node> {
    try {
      for (let name = this.#left.pop(); name !== undefined; name = this.#left.pop()) {
        await this.#step(name, followLast || this.#left.length > 0);
      }
      const end = this.#here();
      this.#backend.hold(end);
      return end;
    } finally {
      for (const node of this.#way) await this.#backend.release(node);
    }
  }

  #here(): Node {
    return this.#way.at(-1) ?? this.#root;
  }

  async #step(name: string, follow: boolean): Promise<void> {
    const here = this.#here();
    if (here.type !== 'directory') throw fileSystemFailure('Not_a_directory');
    if (name === '' || name === '.') return;
    if (name === '..') {
      const left = this.#way.pop();
      if (left !== undefined) await this.#backend.release(left);
      return;
    }
    if (name.length * 3 > NAME_BYTES_MAX && encodeName(name).length > NAME_BYTES_MAX) {
      throw fileSystemFailure('Name_too_long');
    }
    const next = await this.#backend.lookup(here, name);
    if (next.type === 'symlink' && follow) await this.#follow(next);
    else this.#way.push(next);
  }

  async #follow(symlink: Node): Promise<void> {
    let target: string;
    try {
      this.#symlinks++;
      if (this.#symlinks > SYMLINKS_MAX) throw fileSystemFailure('Too_many_symlinks');
      target = await this.#backend.readLink(symlink);
    } finally {
      await this.#backend.release(symlink);
    }
    if (target === '') throw fileSystemFailure('Lookup_failed', 'an empty symbolic link');
    if (target.startsWith('/')) await this.#backToRoot();
    this.#left = [...this.#left, ...target.split('/').toReversed()];
  }

  async #backToRoot(): Promise<void> {
    for (let node = this.#way.pop(); node !== undefined; node = this.#way.pop()) {
      await this.#backend.release(node);
    }
  }
}

/**
 * The node at a checked path below `root`, held for the caller. A symbolic link at the very end is followed only with
 * `followLast`; a path that ends with a slash leads to a directory.
 */
export function walkPath<Node extends BackendNode>(
  backend: FileSystemBackend<Node>,
  root: Node,
  path: string,
  followLast: boolean,
): Promise<Node> {
  return new Walk(backend, root, path).finish(followLast);
}

/** More symbolic links than this on one path are taken for a circle. */
const SYMLINKS_MAX = 40;

/** Why a walk goes no further, but for what the tree itself says. */
export type WalkFailure = 'not a directory' | 'too many symbolic links' | 'an empty symbolic link';

/**
 * A tree of nodes as a walk sees it. Whoever gets a node holds it, and gives it back by `release`.
 */
export interface WalkedTree<Node extends { readonly type: string }> {
  /** Takes one more hold of a node that is held. */
  hold(node: Node): unknown;
  release(node: Node): Promise<void>;
  /** The node of a name, held. */
  lookup(directory: Node, name: string): Promise<Node>;
  readLink(symlink: Node): Promise<string>;
  /** The error for a failure at `node`, in the tree's own terms. */
  failure(why: WalkFailure, node: Node): Error;
}

/**
 * Walks a path from the root of what a session may see. The way from there to where the walk stands
 * is a stack of held nodes: `..` takes one off and stops at the root, so it cannot leave, whatever
 * is renamed meanwhile; an absolute symbolic link empties the stack.
 */
class Walk<Node extends { readonly type: string }> {
  readonly #tree: WalkedTree<Node>;
  readonly #root: Node;
  /** Held; the root is not on it. */
  readonly #way: Node[] = [];
  /** Components yet to be walked, the next one last. */
  #left: string[];
  #symlinks = 0;

  constructor(tree: WalkedTree<Node>, root: Node, path: string) {
    this.#tree = tree;
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
      this.#tree.hold(end);
      return end;
    } finally {
      for (const node of this.#way) await this.#tree.release(node);
    }
  }

  #here(): Node {
    return this.#way.at(-1) ?? this.#root;
  }

  async #step(name: string, follow: boolean): Promise<void> {
    const here = this.#here();
    if (here.type !== 'directory') throw this.#tree.failure('not a directory', here);
    if (name === '' || name === '.') return;
    if (name === '..') {
      const left = this.#way.pop();
      if (left !== undefined) await this.#tree.release(left);
      return;
    }
    const next = await this.#tree.lookup(here, name);
    if (next.type === 'symlink' && follow) await this.#follow(next);
    else this.#way.push(next);
  }

  async #follow(symlink: Node): Promise<void> {
    let target: string;
    try {
      this.#symlinks++;
      if (this.#symlinks > SYMLINKS_MAX) throw this.#tree.failure('too many symbolic links', symlink);
      target = await this.#tree.readLink(symlink);
    } finally {
      await this.#tree.release(symlink);
    }
    if (target === '') throw this.#tree.failure('an empty symbolic link', symlink);
    if (target.startsWith('/')) await this.#backToRoot();
    this.#left = [...this.#left, ...target.split('/').toReversed()];
  }

  async #backToRoot(): Promise<void> {
    for (let node = this.#way.pop(); node !== undefined; node = this.#way.pop()) {
      await this.#tree.release(node);
    }
  }
}

/**
 * The node at a path below `root`, which the caller holds; the caller holds the node as well. A
 * symbolic link at the very end is followed only with `followLast`; a path that ends with a slash
 * leads to a directory.
 */
export function walkPath<Node extends { readonly type: string }>(
  tree: WalkedTree<Node>,
  root: Node,
  path: string,
  followLast: boolean,
): Promise<Node> {
  return new Walk(tree, root, path).finish(followLast);
}

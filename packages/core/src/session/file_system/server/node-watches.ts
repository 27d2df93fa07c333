/**
 * Who wants to hear of the changes of which nodes of a file system. All changes go through sessions
 * of the server, so it knows of each of them, whatever file system is below.
 */

/** Hears of the change of any node, by its inode (0 for any), and who has made it. */
export type NodeObserver = (inode: number, by: object) => void;

/**
 * The watchers of one file system. Nodes are told apart by their objects, of which each has one.
 */
export class NodeWatches {
  readonly #watchers = new Map<object, Set<() => void>>();
  readonly #observers = new Set<NodeObserver>();

  /** Whether anybody watches anything. */
  get any(): boolean {
    return this.#watchers.size > 0 || this.#observers.size > 0;
  }

  /** From now on `observer` is called with every change of any node; the result ends that. */
  observe(observer: NodeObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** From now on `changed` is called with every change of the node; the result ends that. */
  add(node: object, changed: () => void): () => void {
    const watchers = this.#watchers.get(node) ?? new Set();
    this.#watchers.set(node, watchers);
    // The same function may watch for two handles.
    const watcher = (): void => changed();
    watchers.add(watcher);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(node) === watchers) this.#watchers.delete(node);
    };
  }

  /** Whether anybody hears of all changes. */
  get observed(): boolean {
    return this.#observers.size > 0;
  }

  /** Tells everybody who watches the node. */
  changed(node: object): void {
    for (const watcher of this.#watchers.get(node) ?? []) watcher();
  }

  /** Tells everybody who hears of all changes, but for `by`, who has made it. */
  changedInode(inode: number, by: object): void {
    for (const observer of this.#observers) observer(inode, by);
  }
}

const byBackend = new WeakMap<object, NodeWatches>();

/** The watchers of a backend, which all of its sessions share. */
export function watchesOf(backend: object): NodeWatches {
  const known = byBackend.get(backend);
  if (known) return known;
  const made = new NodeWatches();
  byBackend.set(backend, made);
  return made;
}

/**
 * For a backend whose nodes change by themselves, not by a session: tells those who watch the node
 * that its content is another, or, of a directory, its names.
 */
export function tellChanged(backend: object, node: object, inode: number): void {
  const watches = watchesOf(backend);
  watches.changed(node);
  watches.changedInode(inode, backend);
}

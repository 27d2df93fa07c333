/**
 * Who wants to hear of the changes of which nodes of a file system. All changes go through sessions
 * of the server, so it knows of each of them, whatever file system is below.
 */

/**
 * The watchers of one file system. Nodes are told apart by their objects, of which each has one.
 */
export class NodeWatches {
  readonly #watchers = new Map<object, Set<() => void>>();

  /** Whether anybody watches anything. */
  get any(): boolean {
    return this.#watchers.size > 0;
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

  /** Tells everybody who watches the node. */
  changed(node: object): void {
    for (const watcher of this.#watchers.get(node) ?? []) watcher();
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

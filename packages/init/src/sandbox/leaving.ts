/**
 * The children that are being stopped in order, clients before the servers that they use. Children
 * that do not use one another are stopped side by side. More of them may come at any time.
 */
import { quietDeferred } from '@ginit/core/async';
import type { Child } from './child.ts';
import { nextToStop } from './stop-order.ts';

/** The children of one sandbox that are on their way out. */
export class Leaving {
  readonly #end: (child: Child) => Promise<void>;
  readonly #children = new Map<Child, { readonly left: Promise<void>; readonly resolve: () => void }>();
  readonly #stopping = new Set<Child>();

  /** `end` stops one child and ends it; it never rejects. */
  constructor(end: (child: Child) => Promise<void>) {
    this.#end = end;
  }

  /** The children that are not gone yet. */
  get children(): readonly Child[] {
    return [...this.#children.keys()];
  }

  /** Stops children. Settles when nothing is left of them. */
  async stop(children: readonly Child[]): Promise<void> {
    for (const child of children) {
      if (this.#children.has(child)) continue;
      const { promise, resolve } = quietDeferred<void>();
      this.#children.set(child, { left: promise, resolve });
    }
    this.#goOn();
    await Promise.all(children.map((child) => this.#children.get(child)?.left));
  }

  #goOn(): void {
    const candidates = this.children.map((child) => ({
      child,
      name: child.name,
      servers: child.servers,
      stopping: this.#stopping.has(child),
    }));
    for (const { child, stopping } of nextToStop(candidates)) if (!stopping) void this.#stop(child);
  }

  async #stop(child: Child): Promise<void> {
    this.#stopping.add(child);
    await this.#end(child);
    this.#stopping.delete(child);
    this.#children.get(child)?.resolve();
    this.#children.delete(child);
    this.#goOn();
  }
}

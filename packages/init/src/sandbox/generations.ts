import type { StartNode } from '../model/index.ts';
import { Child } from './child.ts';
import type { ChildHost } from './child-host.ts';

/** Makes the children of a sandbox and numbers them; each begins when those before it are gone. */
export class Generations {
  readonly #host: ChildHost<Child>;
  /** For each child the end of those that were there before it under its name. */
  readonly #before = new WeakMap<Child, Promise<void>>();
  #made = 0;

  constructor(host: ChildHost<Child>) {
    this.#host = host;
  }

  make(start: StartNode, before: readonly Child[]): Child {
    const child = new Child(start, ++this.#made, this.#host);
    const all = new Set(before);
    for (const { restarts } of all) child.restarts = Math.max(child.restarts, restarts + 1);
    const gone = Promise.all([...all].flatMap((it) => [it.gone, this.#before.get(it)]));
    this.#before.set(
      child,
      gone.then(() => {}),
    );
    return child;
  }

  /** Settles when a child may begin. */
  async turnOf(child: Child): Promise<void> {
    await this.#before.get(child);
  }
}

/**
 * The parts of the tree as the config says them. A newer config is applied to what is there: an
 * element that is the same keeps its part, and with that all that is open in it, wherever in the
 * tree it stands now; a directory keeps its place by its name.
 */
import { type ConfigNode, writeXml } from '@ginit/core/config';
import { checkedName } from '../lib/entry-name.ts';
import { openPart, type PartEnv } from './open-part.ts';
import { type Part, PARTS_MAX } from './part.ts';
import type { PartItem } from './schema.ts';
import { VirtualDirectory, type VirtualLayer } from './tree/virtual-directory.ts';

/** An element of a tree. */
export type Item =
  | PartItem
  | {
      readonly $type: 'dir';
      readonly name: string;
      readonly $node: ConfigNode;
      readonly $content: readonly Item[];
    };

/** A part with what the config said of it. */
interface Kept {
  readonly key: string;
  readonly number: number;
  readonly part: Part;
}

type Plan =
  | { readonly kind: 'part'; readonly kept: Kept }
  | { readonly kind: 'dir'; readonly name: string; readonly plans: readonly Plan[] };

/** A tree of parts. */
export class TreeParts {
  readonly top = new VirtualDirectory(1);
  readonly #env: PartEnv;
  #kept: Kept[] = [];
  #inodes = 1;

  constructor(env: PartEnv) {
    this.#env = env;
  }

  /**
   * Makes the tree what these elements say; calls `added` with each part that is new. Throws a
   * `ConfigError` at an element that cannot be: then all is as before.
   */
  async apply(items: readonly Item[], added: (part: Part) => void): Promise<void> {
    const pool = [...this.#kept];
    const made: Kept[] = [];
    let plans: readonly Plan[];
    try {
      plans = await this.#plan(items, pool, made);
    } catch (error) {
      for (const { part } of made) await part.close();
      throw error;
    }
    const outdated = new Set(pool);
    this.#kept = [...this.#kept.filter((kept) => !outdated.has(kept)), ...made];
    for (const { part } of made) added(part);
    this.#fill(this.top, plans);
    for (const { part } of outdated) await part.close();
  }

  /** Ends all parts. */
  async close(): Promise<void> {
    const kept = this.#kept;
    this.#kept = [];
    this.top.layers = [];
    for (const { part } of kept) await part.close();
  }

  async #plan(items: readonly Item[], pool: Kept[], made: Kept[]): Promise<readonly Plan[]> {
    const plans: Plan[] = [];
    for (const item of items) {
      if (item.$type === 'dir') {
        const name = checkedName(item.name, item.$node);
        plans.push({ kind: 'dir', name, plans: await this.#plan(item.$content, pool, made) });
        continue;
      }
      const key = writeXml(item.$node);
      const known = pool.findIndex((kept) => kept.key === key);
      const [kept] = known < 0 ? [] : pool.splice(known, 1);
      plans.push({ kind: 'part', kept: kept ?? (await this.#open(item, key, made)) });
    }
    return plans;
  }

  async #open(item: PartItem, key: string, made: Kept[]): Promise<Kept> {
    const taken = new Set([...this.#kept, ...made].map(({ number }) => number));
    let number = 1;
    while (taken.has(number)) number++;
    if (number > PARTS_MAX) throw item.$node.errorAt(`more than ${PARTS_MAX} parts`);
    const kept = { key, number, part: await openPart(this.#env, item, number) };
    made.push(kept);
    return kept;
  }

  #fill(directory: VirtualDirectory, plans: readonly Plan[]): void {
    const before = directory.layers.flatMap((layer) => (layer.kind === 'dir' ? layer : []));
    directory.layers = plans.map((plan): VirtualLayer => {
      if (plan.kind === 'part') return { kind: 'part', part: plan.kept.part };
      const { name } = plan;
      const known = before.findIndex((layer) => layer.name === name);
      const [kept] = known < 0 ? [] : before.splice(known, 1);
      const child = kept?.directory ?? new VirtualDirectory(++this.#inodes);
      this.#fill(child, plan.plans);
      return { kind: 'dir', name, directory: child };
    });
    // What is open of a directory that is not there any more is empty.
    for (const gone of before) this.#fill(gone.directory, []);
  }
}

/** The component: its tree, as its config says it now. */
import type { Env } from '@ginit/core';
import { Rounds } from '@ginit/core/async';
import { ConfigError } from '@ginit/core/config';
import { importInto } from './import.ts';
import type { PartEnv } from './open-part.ts';
import { type DirItem, type ImportItem, VFS_CONFIG } from './schema.ts';
import { type Item, TreeParts } from './tree-parts.ts';
import { VfsTree } from './tree/vfs-tree.ts';

/** The part of `env` that the component uses. */
export type VfsEnv = PartEnv & Pick<Env, 'config' | 'error'>;

/** A tree that follows the config. */
export class Vfs {
  readonly tree: VfsTree;
  readonly #env: VfsEnv;
  readonly #parts: TreeParts;
  readonly #applying = new Rounds(() => this.#apply());

  private constructor(env: VfsEnv, nowMs: number) {
    this.#env = env;
    this.#parts = new TreeParts(env);
    this.tree = new VfsTree(this.#parts.top, nowMs);
  }

  /** Makes the tree. Throws a `ConfigError` at what cannot be. */
  static async start(env: VfsEnv): Promise<Vfs> {
    const vfs = new Vfs(env, await env.timer.currentTimeMs());
    await vfs.#applying.request();
    for (const item of itemsOf(env).imports) await importInto(env, vfs.tree, item);
    return vfs;
  }

  /** Makes the tree what the newest config says. What cannot be is said, and all stays. */
  async reconfigure(): Promise<void> {
    try {
      await this.#applying.request();
      this.tree.changed();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      void this.#env.error(`${error.message}; the tree stays as it was`);
    }
  }

  /** Ends the parts. */
  close(): Promise<void> {
    return this.#parts.close();
  }

  async #apply(): Promise<void> {
    await this.#parts.apply(itemsOf(this.#env).items, (part) => this.tree.follow(part));
  }
}

function itemsOf(env: Pick<Env, 'config'>): {
  readonly items: readonly Item[];
  readonly imports: readonly ImportItem[];
} {
  const content = env.config.read(VFS_CONFIG).$children.vfs.$content;
  const imports = content.flatMap((item) => (item.$type === 'import' ? item : []));
  const items = content.flatMap((item): (DirItem | Item)[] => (item.$type === 'import' ? [] : [item]));
  return { items, imports };
}

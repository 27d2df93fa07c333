/** The directories of the config: what lies in them, in its order. */
import type { Part } from '../part.ts';

/** What lies in a directory of the config: a part, whose root is laid over it, or a directory. */
export type VirtualLayer =
  | { readonly kind: 'part'; readonly part: Part }
  | { readonly kind: 'dir'; readonly name: string; readonly directory: VirtualDirectory };

/** A directory of the config. It stays the same when a newer config says other things of it. */
export class VirtualDirectory {
  readonly inode: number;
  layers: readonly VirtualLayer[] = [];

  constructor(inode: number) {
    this.inode = inode;
  }

  /** The part whose root's attributes are those of this directory. */
  get representative(): Part | undefined {
    const trees = this.layers.flatMap((layer) =>
      layer.kind === 'part' && layer.part.isTree ? layer.part : [],
    );
    return trees.find(({ writeable }) => writeable) ?? trees[0];
  }

  /** The parts in it and below. */
  *parts(): Generator<Part, void, void> {
    for (const layer of this.layers) {
      if (layer.kind === 'part') yield layer.part;
      else yield* layer.directory.parts();
    }
  }
}

import { ReaderWriterLock } from '@ginit/core/async';
import { WAITERS } from '../hypercall/waiters.ts';
import type { NodeType } from './attributes.ts';
import type { FileSystemNode } from './file-system.ts';

/**
 * A node of a mount as its users see it: one object for each node, however many users hold it. A
 * caller that got a vnode from the mount releases it once; while anyone holds it, its file lives,
 * with or without a name.
 */
export class Vnode {
  readonly node: FileSystemNode;
  readonly lock = new ReaderWriterLock(WAITERS);
  /** Kept by the vnode table. */
  references = 0;
  /** Whether it is being destroyed: nobody may take it up again. */
  dying = false;
  /** Neighbours among the vnodes that nobody holds, kept by the vnode table. */
  older: Vnode | undefined = undefined;
  newer: Vnode | undefined = undefined;
  /** Names of a directory that were found lately, kept by the name cache. */
  names: Map<string, number> | undefined = undefined;

  constructor(node: FileSystemNode) {
    this.node = node;
  }

  get id(): number {
    return this.node.id;
  }

  get type(): NodeType {
    return this.node.type;
  }
}

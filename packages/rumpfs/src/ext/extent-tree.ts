import type { BlockAllocator } from './block-allocator.ts';
import { Run } from './run.ts';
import { peekNode } from './extent-map.ts';
import {
  CHECKSUM_BYTES,
  childAt,
  depthOf,
  DEPTH_MAX,
  entriesOf,
  type ExtentEntry,
  logicalAt,
  roomIn,
  roomOf,
  sealNode,
  searchNode,
  writeNode,
} from './extent-node.ts';
import { type Inode, POINTERS_BYTES } from './inode.ts';
import { VERIFIED } from './verified.ts';
import type { Volume } from './volume.ts';

/** A node on the way from the root to a leaf, and its entry that leads on. */
export interface ExtentStep {
  /** The block of the node; 0 for the root, in the inode. */
  readonly block: number;
  readonly view: DataView;
  /** The last entry that begins at or before the block that is looked for; -1 if there is none. */
  readonly index: number;
}

/** A change of entries of one node: `removed` of them from `index` on make way for `added`. */
interface Splice {
  readonly index: number;
  readonly removed: number;
  readonly added: readonly ExtentEntry[];
}

/** A node that is yet to be written, into a block that nothing leads to. */
interface NewNode {
  readonly block: number;
  readonly depth: number;
  readonly entries: readonly ExtentEntry[];
}

/** A change of the tree that has been thought out. */
interface Plan {
  readonly nodes: readonly NewNode[];
  /** The level, from the root on, of the node that is changed in place, and so all at once. */
  readonly level: number;
  readonly depth: number;
  readonly entries: readonly ExtentEntry[];
  /** Nodes that the new ones replace. */
  readonly replaced: readonly number[];
}

/** What changes a tree. */
export interface TreeChange {
  readonly volume: Volume;
  readonly blocks: BlockAllocator;
  readonly inode: Inode;
  /** The wanted place of a new node. */
  readonly goal: number;
}

/** An empty tree, in the inode. */
export function initialiseExtents(inode: Inode): void {
  new Uint8Array(inode.pointers.buffer).fill(0);
  writeNode(inode.pointers, roomIn(POINTERS_BYTES), 0, []);
}

/**
 * The way to the leaf where `logical` belongs, from the root to it, with all nodes in memory: good
 * until the next `await`.
 */
export async function descend(volume: Volume, inode: Inode, logical: number): Promise<ExtentStep[]> {
  for (;;) {
    const way = tryDescend(volume, inode, logical);
    if (typeof way !== 'number') return way;
    await volume.cache.read(way);
  }
}

/** The same as `descend`, or the block of a node that has to be in memory first. */
function tryDescend(volume: Volume, inode: Inode, logical: number): ExtentStep[] | number {
  const way: ExtentStep[] = [];
  let block = 0;
  let view: DataView = inode.pointers;
  for (let depth = depthOf(view); ; depth -= 1) {
    const found = searchNode(view, logical);
    const index = depth > 0 ? Math.max(0, found) : found;
    way.push({ block, view, index });
    if (depth === 0) return way;
    block = childAt(view, index);
    const buffer = peekNode(volume, inode, block, depth - 1);
    if (buffer === undefined) return block;
    view = buffer.view;
  }
}

/**
 * Changes entries of the leaf where `logical` belongs. The caller stores the inode. A change that
 * fits is made in place. Otherwise nodes are split: what stands in new places is written there
 * before anything leads to it, and then one node, or the root, changes at once.
 */
export async function spliceLeaf(
  change: TreeChange,
  logical: number,
  splice: (leaf: ExtentStep) => Splice,
): Promise<void> {
  const { volume, inode } = change;
  const way = await descend(volume, inode, logical);
  const sketch = makePlan(way, splice(lastOf(way)), []);
  if (sketch.nodes.length === 0) {
    apply(change, way, sketch, logical);
    return;
  }
  if (sketch.depth > DEPTH_MAX) throw volume.corrupt(`${inode.name}: its tree of extents gets too deep`);
  const taken = await takeBlocks(change, sketch.nodes.length);
  let plan: Plan;
  try {
    const again = await descend(volume, inode, logical);
    plan = makePlan(again, splice(lastOf(again)), taken);
    for (const node of plan.nodes) await writeNewNode(volume, inode, node);
  } catch (error) {
    await giveBack(change, taken);
    throw error;
  }
  inode.sectors += taken.length * volume.clusterSectors;
  apply(change, await descend(volume, inode, logical), plan, logical);
  for (const block of plan.replaced) await freeNode(change, block);
}

/** Frees the block of a node that nothing leads to any more. */
export async function freeNode({ volume, blocks, inode }: TreeChange, block: number): Promise<void> {
  inode.sectors = Math.max(0, inode.sectors - volume.clusterSectors);
  await blocks.free(block, 1, inode.name);
}

/** Writes entries of a node that is in memory. */
export function putEntries(
  volume: Volume,
  inode: Inode,
  step: ExtentStep,
  depth: number,
  entries: readonly ExtentEntry[],
): void {
  writeNode(step.view, step.block === 0 ? roomIn(POINTERS_BYTES) : roomOf(step.view), depth, entries);
  if (step.block === 0) return;
  const buffer = volume.cache.peek(step.block);
  if (buffer === undefined) throw new Error('rumpfs: broken invariant: the node was in memory in this turn');
  volume.cache.markDirty(buffer, step.block, 'structure', (bytes) => sealNode(volume, inode, bytes));
}

/**
 * Thinks a change out, from the leaf upwards. `taken` are the blocks for new nodes; without them
 * the plan only tells how many are needed.
 */
function makePlan(way: readonly ExtentStep[], atLeaf: Splice, taken: readonly number[]): Plan {
  const nodes: NewNode[] = [];
  const replaced: number[] = [];
  const add = (depth: number, entries: readonly ExtentEntry[]): ExtentEntry => {
    const block = taken[nodes.length] ?? 0;
    nodes.push({ block, depth, entries });
    return { logical: entries[0]?.logical ?? 0, block, count: 0, unwritten: false };
  };
  let splice = atLeaf;
  for (let level = way.length - 1; ; level -= 1) {
    const step = way[level] ?? lastOf(way);
    const depth = way.length - 1 - level;
    const before = entriesOf(step.view);
    const entries = before.toSpliced(splice.index, splice.removed, ...splice.added);
    if (entries.length <= roomOf(step.view)) return { nodes, level, depth, entries, replaced };
    if (step.block === 0) {
      return { nodes, level, depth: depth + 1, entries: [add(depth, entries)], replaced };
    }
    const above = way[level - 1]?.index ?? 0;
    if (splice.index === before.length && splice.removed === 0) {
      // The file grows at its end: the full node stays as it is.
      splice = { index: above + 1, removed: 0, added: [add(depth, splice.added)] };
    } else {
      const middle = entries.length >>> 1;
      const halves = [add(depth, entries.slice(0, middle)), add(depth, entries.slice(middle))];
      replaced.push(step.block);
      splice = { index: above, removed: 1, added: halves };
    }
  }
}

/** Carries out what a plan changes in place, in one turn. */
function apply({ volume, inode }: TreeChange, way: readonly ExtentStep[], plan: Plan, logical: number): void {
  const top = way[plan.level];
  if (top === undefined) throw new Error('rumpfs: broken invariant: the tree is as deep as it was');
  putEntries(volume, inode, top, plan.depth, plan.entries);
  // An entry above a node never begins behind the node's first entry.
  for (const step of way.slice(0, plan.level)) {
    if (logicalAt(step.view, step.index) <= logical) continue;
    const entries = entriesOf(step.view);
    const entry = entries[step.index];
    if (entry === undefined) continue;
    putEntries(volume, inode, step, depthOf(step.view), entries.with(step.index, { ...entry, logical }));
  }
}

/** Allocates blocks for new nodes. If that fails nothing has happened. */
async function takeBlocks(change: TreeChange, count: number): Promise<number[]> {
  const taken: number[] = [];
  try {
    while (taken.length < count) {
      const run = new Run();
      await change.blocks.allocate(change.inode, taken.at(-1) ?? change.goal, 1, false, run);
      taken.push(run.block);
    }
  } catch (error) {
    await giveBack(change, taken);
    throw error;
  }
  return taken;
}

async function giveBack({ blocks, inode }: TreeChange, taken: readonly number[]): Promise<void> {
  for (const block of taken) await blocks.free(block, 1, inode.name);
}

async function writeNewNode(volume: Volume, inode: Inode, node: NewNode): Promise<void> {
  const bytes = new Uint8Array(volume.blockSizeBytes);
  writeNode(new DataView(bytes.buffer), roomIn(bytes.length - CHECKSUM_BYTES), node.depth, node.entries);
  sealNode(volume, inode, bytes);
  await volume.writeFirst(node.block, bytes, VERIFIED.extents, (content) => sealNode(volume, inode, content));
}

function lastOf(way: readonly ExtentStep[]): ExtentStep {
  const last = way.at(-1);
  if (last === undefined) throw new Error('rumpfs: broken invariant: a way has a root');
  return last;
}

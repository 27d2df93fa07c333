import { FsError } from '../errors.ts';
import { ATTRIBUTE } from '../fat/attribute.ts';
import { ClusterRun } from '../fat/cluster-run.ts';
import { directoryOf } from '../fat/directory-of.ts';
import { writeEmptyCluster } from '../fat/empty-cluster.ts';
import type { FatMove } from '../fat/fat-node.ts';
import { requireName } from '../fat/name-rules.ts';
import { ownerName } from '../fat/placed-nodes.ts';
import type { EntryName } from '../vnode/names.ts';
import type { PlacedSet } from './directory.ts';
import { toExfatTime } from './exfat-time.ts';
import { FileSet } from './file-set.ts';
import { type NodeState, storeNode } from './node-state.ts';
import type { Nodes } from './nodes.ts';
import type { Volume } from './volume.ts';

/** The parts that changes of names work with. */
export interface Names {
  readonly volume: Volume;
  readonly nodes: Nodes;
}

/** Makes a file or directory. Its entries are written last. */
export async function createNode(
  { volume, nodes }: Names,
  parent: NodeState,
  name: EntryName,
  isDirectory: boolean,
  nowMs: number,
): Promise<NodeState> {
  requireName(name.text);
  const directory = directoryOf(parent);
  await volume.begin();
  const set = newSet(volume, name.text, isDirectory, nowMs);
  const firstSlot = await directory.makeRoom(set.entries);
  const run = new ClusterRun();
  try {
    if (isDirectory) {
      await volume.allocate(0, 1, run);
      await writeEmptyCluster(volume, run.cluster);
      set.firstCluster = run.cluster;
      set.contiguous = true;
      set.sizeBytes = volume.geometry.clusterBytes;
      set.validBytes = set.sizeBytes;
    }
    await touch(volume, parent, nowMs);
    const { slot, position } = await directory.insert(firstSlot, set);
    return nodes.adoptSet({ parent, slot, position }, set);
  } catch (error) {
    volume.giveUp(run);
    throw error;
  }
}

/** Takes the name from a file, or from an empty directory. */
export async function removeNode(
  { volume, nodes }: Names,
  parent: NodeState,
  target: NodeState,
  nowMs: number,
): Promise<void> {
  if (target.isDirectory) await requireRemovable(target);
  await volume.begin();
  await touch(volume, parent, nowMs);
  await directoryOf(parent).remove(await entriesOf(volume, parent, target));
  nodes.unlink(target);
}

/**
 * Moves a node. The new entries are durable before the old ones are changed, unless one write
 * changes both; so a power failure may leave two names that lead to the same clusters, but not
 * none.
 */
export async function moveNode(
  { volume, nodes }: Names,
  move: FatMove<NodeState>,
  nowMs: number,
): Promise<void> {
  const { source, from, to, replaced } = move;
  if (replaced === undefined) requireName(move.toName.text);
  if (replaced?.isDirectory === true) await requireRemovable(replaced);
  await volume.begin();
  await touch(volume, from, nowMs);
  if (from !== to) await touch(volume, to, nowMs);
  const old = await entriesOf(volume, from, source);
  const target = directoryOf(to);
  let slot: number;
  let position: number;
  let set: FileSet;
  if (replaced === undefined) {
    set = source.set.renamed(move.toName.text, volume.upcase);
    ({ slot, position } = await target.insert(await target.makeRoom(set.entries), set));
  } else {
    const entry = await entriesOf(volume, to, replaced);
    if (source.set.hasExtra || replaced.set.hasExtra) {
      throw new FsError(
        'NotSupported',
        'exfat: a file with entries of a vendor replaces none, and is not replaced',
      );
    }
    ({ slot, position } = entry);
    set = source.set.inPlaceOf(replaced.set);
    while (!target.tryStore(slot, set)) await target.slots.bringIn();
    nodes.unlink(replaced);
  }
  await orderMove(volume, to, slot, set.entries, from, old);
  await directoryOf(from).remove(old);
  // What was written to the file meanwhile is in its set, and gets to the new place.
  source.set.moveTo(set);
  nodes.move(source, { parent: to, slot, position });
  await storeNode(source);
}

/**
 * Makes sure that new entries are durable, and everything that leads to them, before the old ones
 * are changed.
 */
async function orderMove(
  volume: Volume,
  to: NodeState,
  slot: number,
  count: number,
  from: NodeState,
  old: PlacedSet,
): Promise<void> {
  const before = await directoryOf(to).blocksUpTo(slot, count);
  for (let node = to; node.place !== undefined && node.parent !== undefined; node = node.parent) {
    before.push(...(await directoryOf(node.parent).blocksUpTo(node.place.slot, node.set.entries)));
  }
  const behind = await directoryOf(from).slots.blocksOf(old.slot, old.slot + old.set.entries);
  for (const first of before) {
    for (const then of behind) {
      if (volume.cache.orderNames(first, then)) continue;
      await volume.flush();
      return;
    }
  }
}

/**
 * Marks a directory as changed. It comes before the change itself, so that a device that fails here
 * does not leave a change that was reported as failed.
 */
async function touch(volume: Volume, directory: NodeState, nowMs: number): Promise<void> {
  directory.set.setTime('modified', toExfatTime(nowMs, volume.zone));
  await storeNode(directory);
}

/**
 * The entries of a node, which must be there, because the lock has been held since they were looked
 * up.
 */
async function entriesOf(volume: Volume, parent: NodeState, node: NodeState): Promise<PlacedSet> {
  const { place } = node;
  const found = place === undefined ? undefined : await directoryOf(parent).at(place.slot);
  if (place !== undefined && found?.position === place.position && place.parent === parent) return found;
  throw volume.corrupt(`${ownerName(node.id)}: its entries are lost`);
}

async function requireRemovable(node: NodeState): Promise<void> {
  const obstacle = await directoryOf(node).obstacle();
  if (obstacle !== undefined) throw obstacle;
}

function newSet(volume: Volume, name: string, isDirectory: boolean, nowMs: number): FileSet {
  const set = FileSet.make(name, isDirectory ? ATTRIBUTE.directory : ATTRIBUTE.archive, volume.upcase);
  const now = toExfatTime(nowMs, volume.zone);
  for (const kind of ['created', 'modified', 'accessed'] as const) set.setTime(kind, now);
  return set;
}

import { FsError } from '../errors.ts';
import type { EntryName } from '../vnode/names.ts';
import { ENTRY_BYTES } from './boot-sector.ts';
import type { ListedEntry } from './directory.ts';
import { ATTRIBUTE } from '../fat/attribute.ts';
import { ClusterRun } from '../fat/cluster-run.ts';
import { toDosTime } from '../fat/dos-time.ts';
import { type EntryFields, writeFields } from './entry.ts';
import { directoryOf } from '../fat/directory-of.ts';
import { writeEmptyCluster } from '../fat/empty-cluster.ts';
import type { FatMove } from '../fat/fat-node.ts';
import { requireName } from '../fat/name-rules.ts';
import { ownerName } from '../fat/placed-nodes.ts';
import type { NodeState } from './node-state.ts';
import type { Nodes } from './nodes.ts';
import type { Volume } from './volume.ts';

/** The parts that changes of names work with. */
export interface Names {
  readonly volume: Volume;
  readonly nodes: Nodes;
}

/** Makes a file or directory. Its entry is written last. */
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
  const names = await directory.nameFor(name.text);
  const firstSlot = await directory.makeRoom(names);
  const fields = newFields(volume, isDirectory ? ATTRIBUTE.directory : ATTRIBUTE.archive, nowMs);
  const run = new ClusterRun();
  try {
    if (isDirectory) {
      await volume.allocate(0, 1, run);
      fields.firstCluster = run.cluster;
      await writeEmptyCluster(volume, run.cluster, dots(volume, fields, parent));
    }
    await touch(volume, parent, nowMs);
    const { slot, position } = await directory.insert(firstSlot, names, fields);
    const node = nodes.adoptEntry({ parent, slot, position }, fields);
    // So its size is known from the first moment on.
    if (isDirectory) node.chain.append(run.cluster, 1);
    return node;
  } catch (error) {
    volume.giveUp(run);
    throw error;
  }
}

/** Takes the name from a file, or from an empty directory. */
export async function removeNode(
  { volume, nodes }: Names,
  parent: NodeState,
  name: EntryName,
  target: NodeState,
  nowMs: number,
): Promise<void> {
  if (target.isDirectory) await requireEmpty(target, name);
  await volume.begin();
  await touch(volume, parent, nowMs);
  await directoryOf(parent).remove(await entryOf(volume, parent, target));
  nodes.unlink(target);
}

/**
 * Moves a node. The new entry is durable before the old one is changed, unless one write changes
 * both; so a power failure may leave two entries that lead to the same clusters, but not none.
 */
export async function moveNode(
  { volume, nodes }: Names,
  move: FatMove<NodeState>,
  nowMs: number,
): Promise<void> {
  const { source, from, to, replaced } = move;
  if (replaced === undefined) requireName(move.toName.text);
  if (replaced?.isDirectory === true) await requireEmpty(replaced, move.toName);
  await volume.begin();
  await touch(volume, from, nowMs);
  if (from !== to) await touch(volume, to, nowMs);
  const old = await entryOf(volume, from, source);
  const target = directoryOf(to);
  let slot: number;
  let position: number;
  let firstSlot: number;
  if (replaced === undefined) {
    const names = await target.nameFor(move.toName.text, from === to ? old.slot : -1);
    firstSlot = await target.makeRoom(names);
    ({ slot, position } = await target.insert(firstSlot, names, source.fields));
  } else {
    const entry = await entryOf(volume, to, replaced);
    ({ slot, position } = entry);
    firstSlot = slot;
    await target.store(slot, source.fields);
    nodes.unlink(replaced);
  }
  await orderMove(volume, to, { firstSlot, slot }, from, old);
  await directoryOf(from).remove(old);
  nodes.move(source, { parent: to, slot, position });
  if (source.isDirectory && from !== to) await setParent(source, to, nodes.root);
}

/**
 * Makes sure that a new entry is durable, and everything that leads to it, before the old one is
 * changed.
 */
async function orderMove(
  volume: Volume,
  to: NodeState,
  slots: { readonly firstSlot: number; readonly slot: number },
  from: NodeState,
  old: ListedEntry,
): Promise<void> {
  const before = await directoryOf(to).blocksUpTo(slots.firstSlot, slots.slot + 1);
  for (let node = to; node.place !== undefined; node = node.place.parent) {
    const { firstSlot, slot } = await entryOf(volume, node.place.parent, node);
    before.push(...(await directoryOf(node.place.parent).blocksUpTo(firstSlot, slot + 1)));
  }
  const behind = await directoryOf(from).blocksOf(old.firstSlot, old.slot + 1);
  for (const first of before) {
    for (const then of behind) {
      if (volume.cache.orderNames(first, then)) continue;
      await volume.flush();
      return;
    }
  }
}

/** Stores the fields of a node in its entry, if it has one. */
export async function storeNode(node: NodeState): Promise<void> {
  const { place } = node;
  if (place !== undefined) await directoryOf(place.parent).store(place.slot, node.fields);
}

/**
 * Marks a directory as changed. It comes before the change itself, so that a device that fails here
 * does not leave a change that was reported as failed.
 */
async function touch(volume: Volume, directory: NodeState, nowMs: number): Promise<void> {
  const { date, time } = toDosTime(nowMs, volume.zone);
  directory.fields.modified = { date, time };
  await storeNode(directory);
}

/**
 * The entry of a node, which must be there, because the lock has been held since it was looked up.
 */
async function entryOf(volume: Volume, parent: NodeState, node: NodeState): Promise<ListedEntry> {
  const { place } = node;
  const entry = place === undefined ? undefined : await directoryOf(parent).at(place.slot);
  if (place !== undefined && entry?.position === place.position && place.parent === parent) return entry;
  throw volume.corrupt(`${ownerName(node.id)}: its entry is lost`);
}

async function requireEmpty(node: NodeState, name: EntryName): Promise<void> {
  if (!(await directoryOf(node).isEmpty())) throw new FsError('NotEmpty', `"${name.text}" is not empty`);
}

function newFields(volume: Volume, attributes: number, nowMs: number): EntryFields {
  const { date, time, hundredths } = toDosTime(nowMs, volume.zone);
  return {
    attributes,
    caseBits: 0,
    created: { date, time, hundredths },
    accessedDate: date,
    modified: { date, time },
    firstCluster: 0,
    sizeBytes: 0,
  };
}

/** The entries `.` and `..`. The latter has cluster 0 below the root. */
function dots(volume: Volume, fields: EntryFields, parent: NodeState): Uint8Array {
  const bytes = new Uint8Array(2 * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  const wide = volume.geometry.bits === 32;
  bytes.fill(0x20, 0, 11);
  bytes.fill(0x20, ENTRY_BYTES, ENTRY_BYTES + 11);
  bytes[0] = 0x2e;
  bytes[ENTRY_BYTES] = 0x2e;
  bytes[ENTRY_BYTES + 1] = 0x2e;
  writeFields(view, 0, fields, wide);
  writeFields(
    view,
    ENTRY_BYTES,
    { ...fields, firstCluster: parent.parent === undefined ? 0 : parent.fields.firstCluster },
    wide,
  );
  return bytes;
}

/** Lets the entry `..` of a directory lead to its new parent. */
async function setParent(node: NodeState, parent: NodeState, root: NodeState): Promise<void> {
  const fields = {
    ...node.fields,
    firstCluster: parent === root ? 0 : parent.fields.firstCluster,
    sizeBytes: 0,
  };
  await directoryOf(node).store(1, { ...fields, attributes: ATTRIBUTE.directory });
}

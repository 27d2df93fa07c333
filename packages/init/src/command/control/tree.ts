/**
 * The tree of components as the control socket tells it: what the supervisor knows of each, joined
 * with what its parent says of it.
 */
import { boolean, integer, list, oneOf, optional, record, type ShapeType, text, u32, u53 } from '@ginit/core';
import { type ComponentOverview, ROOT_LABEL, type SystemOverview } from '@ginit/core/supervisor';
import { CHILD_STATES, type ChildOverview, prependLabel, splitLabel } from '@ginit/core/system';
import { isHolder } from '../../model/index.ts';

const WORDS = 4096;
const COMPONENTS_MAX = 65_536;
const SESSIONS_MAX = 65_536;

const quota = record({ quota: u53, used: u53 });

const treeSession = record({
  service: text(WORDS),
  label: text(WORDS),
  /** The whole label of the component that serves it; missing if that is not known. */
  server: optional(text(WORDS)),
  state: text(WORDS),
});

const treeNode = record({
  label: text(WORDS),
  name: text(WORDS),
  binary: optional(text(WORDS)),
  /** How many components are above it. */
  depth: u32,
  /** `silent`: nobody can say how it stands, because its parent does not answer. */
  state: oneOf([...CHILD_STATES, 'silent']),
  why: optional(text(WORDS)),
  exitCode: optional(u32),
  restarts: u32,
  skippedHeartbeats: u32,
  isolation: oneOf(['thread', 'process']),
  domain: optional(text(WORDS)),
  pid: optional(u53),
  /** The node of the cluster, if that is another machine. */
  node: optional(text(WORDS)),
  thread: optional(u53),
  jailed: optional(boolean),
  /** The quota of its account, and how much of it is used; missing while it has no account. */
  ram: optional(record({ quota: u53, used: u53, peak: u53 })),
  caps: optional(quota),
  /** The quota that its start node assigns. */
  assigned: optional(record({ ram: u53, caps: u53 })),
  heapUsed: optional(u53),
  heapBound: optional(u53),
  /** Microseconds on a CPU, and how often its thread was woken. */
  cpuUs: optional(u53),
  wakeUps: optional(u53),
  /** Calls of its sessions that it has served, and packets that were acknowledged. */
  calls: optional(u53),
  packets: optional(u53),
  sessions: list(treeSession, SESSIONS_MAX),
});
/** A component of the tree. */
export type TreeNode = ShapeType<typeof treeNode>;

/** The tree, as a list in which every component stands behind its parent. */
export const systemTree = record({
  /** The time in microseconds, on a clock that never goes back. */
  atUs: integer(0),
  total: record({ ram: u53, caps: u53 }),
  components: list(treeNode, COMPONENTS_MAX),
});
/** The tree of a running system. */
export type SystemTree = ShapeType<typeof systemTree>;

/** Joins what the supervisor sees with what the inits say. */
export function treeOf({ atUs, total, components }: SystemOverview): SystemTree {
  const live = new Map(components.map((component) => [component.label, component]));
  const said = new Map<string, ChildOverview>();
  const silent = new Set<string>();
  const order: string[] = [];
  const add = (label: string): void => {
    order.push(label);
    const children = live.get(label)?.children;
    if (children === 'silent') silent.add(label);
    const named = children === 'silent' || !children ? [] : children.children;
    for (const child of named) {
      const below = prependLabel(label, child.name);
      said.set(below, child);
      add(below);
    }
    // Components that nobody speaks of: started by a component that keeps no overview, or by one
    // that does not answer.
    for (const other of live.keys()) {
      if (!said.has(other) && splitLabel(other).prefix === label) add(other);
    }
  };
  for (const { label } of components) if (!live.has(splitLabel(label).prefix)) add(label);
  const nodes = order.map((label) => nodeOf(label, live.get(label), said.get(label), silent));
  return { atUs, total, components: nodes };
}

function nodeOf(
  label: string,
  live: ComponentOverview | undefined,
  said: ChildOverview | undefined,
  silent: ReadonlySet<string>,
): TreeNode {
  const { prefix, last } = splitLabel(label);
  const state = stateOf(label, live, said, silent);
  const why = whyOf(label, state, live, said);
  return {
    label,
    name: last,
    binary: said?.binary,
    depth: label.split(' -> ').length - 1,
    state,
    why,
    exitCode: said?.exitCode,
    restarts: said?.restarts ?? 0,
    skippedHeartbeats: said?.skippedHeartbeats ?? 0,
    isolation: live?.placement.kind ?? said?.isolation ?? 'thread',
    assigned: said && { ram: said.ram, caps: said.caps },
    sessions: (said?.sessions ?? []).map(({ service, label: seen, server, state: its }) => ({
      service,
      label: seen,
      server: server === undefined ? undefined : prependLabel(prefix, server),
      state: its,
    })),
    ...(live && measured(live)),
  };
}

/**
 * An init that has not read its config yet is not complete, and one that does not answer may not
 * be: nobody knows its children.
 */
function stateOf(
  label: string,
  live: ComponentOverview | undefined,
  said: ChildOverview | undefined,
  silent: ReadonlySet<string>,
): TreeNode['state'] {
  const holdsChildren = label === ROOT_LABEL || (said !== undefined && isHolder(said.binary));
  if (live?.waits !== undefined) return 'waiting';
  const state = said?.state ?? (silent.has(splitLabel(label).prefix) ? 'silent' : 'running');
  if (!holdsChildren || state !== 'running') return state;
  if (live?.children === 'silent') return 'silent';
  return live?.children === undefined ? 'incomplete' : 'running';
}

function whyOf(
  label: string,
  state: TreeNode['state'],
  live: ComponentOverview | undefined,
  said: ChildOverview | undefined,
): string | undefined {
  const isSilent = live?.children === 'silent';
  if (state === 'silent' && !isSilent) return `"${splitLabel(label).prefix}" does not answer`;
  // One that is starting cannot answer yet.
  const hangs = isSilent && (state === 'silent' || state === 'running');
  return live?.waits ?? said?.why ?? (hangs ? 'it does not answer' : undefined);
}

function measured(live: ComponentOverview): Partial<TreeNode> {
  const { placement, thread, account, ramPeak, heapBytes, statistics, use } = live;
  return {
    domain: placement.domain,
    pid: placement.pid,
    node: placement.node,
    thread,
    jailed: placement.jail?.jailed,
    ram: { quota: account.ramQuota, used: account.ramUsed, peak: ramPeak },
    caps: { quota: account.capQuota, used: account.capUsed },
    heapUsed: statistics?.heapUsed,
    heapBound: heapBytes,
    cpuUs: use?.cpuUs,
    wakeUps: use?.wakeUps,
    calls: statistics?.calls,
    packets: statistics?.packets,
  };
}

/**
 * The component that a person means by a label: the whole label, the label without that of root
 * init, or the end of exactly one.
 */
export function meantBy(wanted: string, labels: readonly string[]): string | undefined {
  const exact =
    labels.find((label) => label === wanted) ?? labels.find((label) => label === fromRoot(wanted));
  if (exact !== undefined) return exact;
  const [only, second] = labels.filter((label) => label.endsWith(` -> ${wanted}`));
  return second === undefined ? only : undefined;
}

/** The label with that of root init in front. */
export function fromRoot(label: string): string {
  const [root] = label.split(' -> ');
  return root === ROOT_LABEL ? label : prependLabel(ROOT_LABEL, label);
}

/** A component's problem: why the system is not complete, as far as this one is concerned. */
export function incompleteness({ state, why, exitCode }: TreeNode): string | undefined {
  const because = why === undefined ? '' : `: ${why}`;
  switch (state) {
    case 'running':
      return undefined;
    case 'exited':
      return exitCode === 0 || exitCode === undefined ? undefined : `exited with ${exitCode}`;
    case 'incomplete':
    case 'stuck':
    case 'waiting':
    case 'crashed':
    case 'restarting':
    case 'ending':
    case 'silent':
      return `${state}${because}`;
    case 'gave up':
      // The reason begins with these words, because it stands alone elsewhere.
      return why ?? state;
  }
}

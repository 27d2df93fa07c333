/**
 * The tree of a run, a pure function of the seed: who is there, where each runs, who is mortal.
 * Most are nodes, which serve and use each other; nurseries start victims and kill them; inits
 * nest; one director watches over all.
 */
import { randomFor } from './random.mjs';

export const COMPONENTS_MINIMUM = 8;
export const COMPONENTS_MAXIMUM = 200;

/** Processes that several immortal components share. */
export const DOMAINS = ['main', 'left', 'right'];
/** A process whose components may all be brought down at any time by one of them. */
export const SCRAP = 'scrap';

const CHILDREN_OF_INIT = 3;

/** Where a node runs; `mortal` ones may end their process if they share it with mortals only. */
function placement(random, mortal) {
  if (random.chance(0.25)) return { isolation: 'process' };
  return { domain: mortal && random.chance(0.4) ? SCRAP : random.pick(DOMAINS) };
}

function makeNode(random, name) {
  const mortal = random.chance(0.4);
  const place = placement(random, mortal);
  const mayKill = mortal && (place.isolation === 'process' || place.domain === SCRAP);
  return { kind: 'node', name, mortal, mayKill, ...place };
}

/** The names of so many machines of a cluster, besides the head. */
export const machineNames = (count) => Array.from({ length: count }, (_, at) => `m${at}`);

const ON_MACHINES = 0.6;

/** A member with a process of its own, somewhere else. */
const away = (member) => ({ ...member, isolation: undefined, domain: undefined, mayKill: member.mortal });

/**
 * The children with the machines on which some of them run; what runs elsewhere has a process of
 * its own. Nurseries stay at the head: the places of what they start are there.
 */
function spread(seed, members, machines) {
  return members.map((member) => {
    const random = randomFor(seed, 'machine', member.name);
    if (member.kind === 'nursery' || !random.chance(ON_MACHINES)) {
      return member.children ? { ...member, children: spread(seed, member.children, machines) } : member;
    }
    // The children of an init that is on a machine run there.
    const children = member.children?.map((child) => ({ ...away(child), inherits: true }));
    return { ...away(member), machine: random.pick(machines), ...(children && { children }) };
  });
}

/**
 * The tree for so many components, the director and the hostile ones not counted:
 * `{ seed, components, hostile, machines, children }`.
 */
export function makeTree({ seed, components, hostile, machines = 0 }) {
  const tree = makeLocalTree({ seed, components, hostile });
  if (machines === 0) return tree;
  const names = machineNames(machines);
  return { ...tree, machines: names, children: spread(seed, tree.children, names) };
}

function makeLocalTree({ seed, components, hostile }) {
  const random = randomFor(seed, 'tree', components);
  const inits = Math.max(1, Math.floor(components / 12));
  const nurseries = Math.max(1, Math.floor(components / 10));
  const nodes = components - inits * (1 + CHILDREN_OF_INIT) - nurseries;
  const named = (letter, count, make) =>
    Array.from({ length: count }, (_, index) => make(`${letter}${String(index).padStart(2, '0')}`));
  return {
    seed,
    components,
    hostile,
    children: [
      ...named('n', nodes, (name) => makeNode(random, name)),
      ...named('k', nurseries, (name) => ({ kind: 'nursery', name, ...placement(random, false) })),
      ...named('i', inits, (name) => ({
        kind: 'init',
        name,
        ...placement(random, false),
        children: named(`${name}-`, CHILDREN_OF_INIT, (child) => makeNode(random, child)),
      })),
      ...named('x', hostile, (name) => ({ kind: 'hostile', name, ...hostilePlace(random) })),
    ],
  };
}

/** A hostile component may end its process, so it shares one with nobody who has to live. */
function hostilePlace(random) {
  return random.chance(0.5) ? { isolation: 'process' } : { domain: SCRAP };
}

/** Names of the hostile components. */
export function hostileOf({ children }) {
  return children.filter(({ kind }) => kind === 'hostile').map(({ name }) => name);
}

/**
 * Every component of a tree but its inits and hostile ones: `{ member, peers }`, peers being the
 * names that it can open sessions to.
 */
export function membersOf({ children }) {
  const outer = children.filter(({ kind }) => kind === 'node').map(({ name }) => name);
  const honest = children.filter(({ kind }) => kind !== 'hostile');
  return honest.flatMap((member) => {
    if (member.kind !== 'init') return [{ member, peers: others(outer, member.name) }];
    const inner = member.children.map(({ name }) => name);
    return member.children.map((child) => ({
      member: child,
      peers: others([...outer, ...inner], child.name),
    }));
  });
}

/** Labels of everything that runs: the tree, its director and its init. */
export function labelsOf({ children }) {
  const below = (list, label) =>
    list.flatMap(({ name, children: inner = [] }) => {
      const own = `${label} -> ${name}`;
      return [own, ...below(inner, own)];
    });
  return ['init', 'init -> director', ...below(children, 'init')];
}

/** How many inits a tree has, the outermost included. */
export function initsOf({ children }) {
  return 1 + children.filter(({ kind }) => kind === 'init').length;
}

const others = (names, own) => names.filter((name) => name !== own);

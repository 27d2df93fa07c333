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

/**
 * The tree for so many components, the director and the hostile ones not counted:
 * `{ seed, components, hostile, children }`.
 */
export function makeTree({ seed, components, hostile }) {
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

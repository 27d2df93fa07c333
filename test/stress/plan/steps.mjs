/**
 * The attempts of a component at each step, the length of its life, and the lives and deaths in a
 * nursery: pure functions of the seed. Components compute them as they go, the harness to print
 * them; nothing here touches the host.
 */
import { randomFor } from './random.mjs';

/** The attempts that a component may make, by how often. */
const ACTIONS = [
  [10, 'call'],
  [6, 'concurrent'],
  [5, 'walk'],
  [6, 'pass'],
  [4, 'use'],
  [2, 'revoke'],
  [3, 'release'],
  [4, 'signal'],
  [4, 'memory'],
  [5, 'packets'],
  [2, 'abandon'],
  [3, 'upgrade'],
  [3, 'close'],
  [4, 'trap'],
];

const CALLS = [
  [6, 'echo'],
  [3, 'later'],
  [2, 'refuse'],
  [1, 'fail'],
];

const KIB = 1024;

/**
 * Step number `step` of a component: an action, the names of two peers, and the numbers that it
 * needs. `who` names the component and its incarnation, `traps` the hostile components, if there
 * are any.
 */
export function stepAt(seed, who, step, peers, traps = []) {
  const random = randomFor(seed, who, 'step', step);
  return {
    action: random.weighted(ACTIONS),
    call: random.weighted(CALLS),
    peer: random.pick(peers),
    other: random.pick(peers),
    count: random.between(1, 12),
    depth: random.between(2, 9),
    bytes: random.chance(0.1) ? random.between(1, 48 * KIB) : random.between(0, 2 * KIB),
    bufferBytes: 4 * KIB * random.between(4, 32),
    sealed: random.chance(0.7),
    keep: random.chance(0.3),
    seed: random.below(2 ** 31),
    trap: traps.length > 0 ? random.pick(traps) : undefined,
  };
}

/** How a mortal component ends, and after how many steps. `kill` ends its whole process. */
export function lifeOf(seed, who, mayKill) {
  const random = randomFor(seed, who, 'life');
  const manners = mayKill ? ['throw', 'exit', 'kill', 'kill'] : ['throw', 'exit'];
  return { steps: random.between(30, 400), manner: random.pick(manners) };
}

/** The component that a nursery starts, the way it ends, and the latest time of its end. */
const ENDINGS = [
  /** Killed in the middle of what it does. */
  [5, 'killed'],
  /** Killed in a tight loop. */
  [3, 'spin'],
  [2, 'throw'],
  [1, 'exit'],
  [1, 'kill'],
  [2, 'done'],
];

/** Round number `round` of a nursery: one victim, or an init with some. */
export function roundAt(seed, nursery, round, domains) {
  const random = randomFor(seed, nursery, 'round', round);
  const victim = () => {
    const manner = random.weighted(ENDINGS);
    // Whoever ends its process must share it with nobody who has to live.
    const isolation = manner === 'kill' || random.chance(0.15) ? 'process' : 'thread';
    const steps = manner === 'killed' ? 1_000_000 : random.between(1, 20);
    return { manner, isolation, domain: random.pick(domains), steps };
  };
  const nested = random.chance(0.2);
  return {
    nested,
    victims: Array.from({ length: nested ? random.between(1, 3) : 1 }, victim),
    isolation: nested && random.chance(0.3) ? 'process' : 'thread',
    domain: random.pick(domains),
    lifeMs: random.between(20, 1500),
  };
}

/**
 * The plan of a run: its tree, and what everybody tries. Printed by --plan, and told apart by its
 * hash.
 */
import { createHash } from 'node:crypto';
import { lifeOf, roundAt, stepAt } from './steps.mjs';
import { DOMAINS, hostileOf, makeTree, membersOf, SCRAP } from './tree.mjs';

/** How much of the plan, which has no end, the hash covers. */
const HASHED_STEPS = 512;
const PRINTED_STEPS = 24;

/** The acts of one member of the tree, up to `steps` steps of its first incarnation. */
function programOf(seed, { member, peers }, steps, traps) {
  const { kind, name } = member;
  const numbers = Array.from({ length: steps }, (_, index) => index);
  if (kind === 'nursery') {
    return { name, rounds: numbers.map((round) => roundAt(seed, name, round, [...DOMAINS, SCRAP])) };
  }
  const who = `${name}#1`;
  return {
    name,
    life: member.mortal ? lifeOf(seed, who, member.mayKill) : undefined,
    steps: numbers.map((step) => stepAt(seed, who, step, peers, traps)),
  };
}

/** The plan for a seed and numbers of components and machines: `{ tree, hash }`. */
export function makePlan({ seed, components, hostile, machines }) {
  const tree = makeTree({ seed, components, hostile, machines });
  const traps = hostileOf(tree);
  const programs = membersOf(tree).map((entry) => programOf(seed, entry, HASHED_STEPS, traps));
  const hash = createHash('sha256').update(JSON.stringify({ tree, programs })).digest('hex').slice(0, 16);
  return { tree, hash };
}

function place({ isolation, domain, machine, inherits }) {
  if (machine !== undefined) return `node "${machine}"`;
  if (inherits) return 'node of its init';
  return isolation === 'process' ? 'process' : `thread of "${domain}"`;
}

function describeStep({ action, call, peer, other, count }, step) {
  return `  ${String(step).padStart(3)} ${action.padEnd(10)} ${peer} ${other} x${count} ${call}`;
}

function describeRound({ nested, victims, lifeMs }, round) {
  const who = victims.map((victim) => `${victim.manner} in ${place(victim)}`).join(', ');
  return `  ${String(round).padStart(3)} ${nested ? 'init of ' : ''}${who}, at most ${lifeMs} ms`;
}

/** The plan as lines for people: the tree, then the first steps of everybody. */
export function describePlan({ tree, hash }) {
  const { seed } = tree;
  const treeLines = (children, indent) =>
    children.flatMap((member) => [
      `${indent}${member.name} ${member.kind}, ${place(member)}${member.mortal ? ', mortal' : ''}`,
      ...treeLines(member.children ?? [], `${indent}  `),
    ]);
  const programs = membersOf(tree).flatMap((entry) => {
    const { name, life, steps = [], rounds = [] } = programOf(seed, entry, PRINTED_STEPS, hostileOf(tree));
    const end = life ? `, dies after ${life.steps} steps (${life.manner})` : '';
    return ['', `${name}${end}`].concat(steps.map(describeStep), rounds.map(describeRound));
  });
  return [`plan ${hash}, seed ${seed}`, '', ...treeLines(tree.children, ''), ...programs];
}

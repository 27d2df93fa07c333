/**
 * What a fault plan comes to with one seed: a list of faults. Each has a number, by which it can be left out, and a stream
 * of chance of its own: when it happens, with whom and how does not depend on which others there are.
 */
import type { Random } from '../order/random.ts';
import type { FaultPlan, PlannedFault } from './fault-plan.ts';

/** A fault of one run. */
export interface ConcreteFault {
  /** From 1, in the order of the plan. */
  readonly number: number;
  /** It happens when so many tasks have run. */
  readonly afterTasks: number;
  readonly fault: PlannedFault;
  /** All that is left to chance about it. */
  readonly random: Random;
}

/** A fault that has happened. */
export interface StruckFault {
  readonly number: number;
  /** So many tasks had run. */
  readonly afterTasks: number;
  /** What happened, to whom. */
  readonly text: string;
}

/** How many faults a plan has. */
export function countFaults(plan: FaultPlan): number {
  return plan.reduce((sum, { count }) => sum + count, 0);
}

/** The faults, the first to happen first; `only` has the numbers of those that may happen at all. */
export function concreteFaults(
  plan: FaultPlan,
  random: Random,
  only: readonly number[] | undefined,
): ConcreteFault[] {
  const wanted = only && new Set(only);
  return plan
    .flatMap((fault) => Array.from({ length: fault.count }, () => fault))
    .map((fault, index) => concrete(fault, index + 1, random))
    .filter(({ number }) => !wanted || wanted.has(number))
    .toSorted((a, b) => a.afterTasks - b.afterTasks || a.number - b.number);
}

function concrete(fault: PlannedFault, number: number, random: Random): ConcreteFault {
  const own = random.stream(`fault ${number}`);
  return { number, afterTasks: own.below(fault.within), fault, random: own };
}

/**
 * Picks one by its label, not by its place: each label has a rank of its own for each fault, and the highest is picked. So
 * who else is there matters only if that one ranks higher.
 */
export function pickByLabel<T extends { readonly label: string }>(
  candidates: readonly T[],
  { number, random }: Pick<ConcreteFault, 'number' | 'random'>,
): T | undefined {
  let best: { readonly candidate: T; readonly rank: number } | undefined;
  for (const candidate of candidates) {
    const rank = random.stream(`fault ${number} on ${candidate.label}`).u32();
    if (!best || rank > best.rank) best = { candidate, rank };
  }
  return best?.candidate;
}

/**
 * The list of faults that a fault plan becomes with one seed. Each fault has a number, by which it
 * can be left out, and a random stream of its own: its time, its victim and its way do not depend
 * on which other faults there are.
 */
import type { Random } from '../order/random.ts';
import type { FaultPlan, PlannedFault } from './fault-plan.ts';

/** A fault of one run. */
export interface ConcreteFault {
  /** The number of the fault, from 1, in the order of the plan. */
  readonly number: number;
  /** The number of tasks that have run when the fault happens. */
  readonly afterTasks: number;
  readonly fault: PlannedFault;
  /** The source of all chance in the fault. */
  readonly random: Random;
}

/** A fault that has happened. */
export interface StruckFault {
  readonly number: number;
  /** The number of tasks that had run. */
  readonly afterTasks: number;
  /** A description of what happened, and to which component. */
  readonly text: string;
}

/** The number of faults in a plan. */
export function countFaults(plan: FaultPlan): number {
  return plan.reduce((sum, { count }) => sum + count, 0);
}

/**
 * The faults, the first to happen first; `only` lists the numbers of those that may happen at all.
 */
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
 * Picks one by its label and not by its place: each label has a rank of its own for each fault, and
 * the highest rank is picked. So another component changes the pick only if it ranks higher itself.
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

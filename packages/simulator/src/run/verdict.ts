/** How a simulated run ended. */
import type { StruckFault } from '../faults/concrete-faults.ts';

/** The result of a run. */
export interface SeedVerdict {
  readonly seed: number;
  readonly code: number;
  /**
   * The first property that did not hold, and after a semicolon its particulars; `undefined` if all
   * held.
   */
  readonly problem: string | undefined;
  readonly virtualUs: number;
  readonly tasks: number;
  readonly hash: string;
  /** The faults that happened, in their order. */
  readonly struck: readonly StruckFault[];
  /** The number of times that each kind of fault has happened. */
  readonly happened: ReadonlyMap<string, number>;
}

/** The result of a run in one line. */
export function verdictOf({ seed, code, problem, virtualUs, tasks, hash }: SeedVerdict): string {
  const how = problem === undefined ? `exit code ${code}` : `FAILED: ${problem}`;
  const seconds = (virtualUs / 1e6).toFixed(6);
  return `seed ${seed}: ${how}; ${seconds} s of virtual time, ${tasks} tasks, state ${hash}`;
}

/**
 * The property that failed, so that two runs can be compared: the problem without its particulars
 * and without its numbers, or else the exit code.
 */
export function propertyOf({ code, problem }: Pick<SeedVerdict, 'code' | 'problem'>): string {
  if (problem === undefined) return `exit code ${code}`;
  const end = problem.indexOf(';');
  return (end < 0 ? problem : problem.slice(0, end)).replace(/\d+/g, 'N');
}

/** Whether a run failed; with `anyExit` an exit code is no failure by itself. */
export function hasFailed(
  { code, problem }: Pick<SeedVerdict, 'code' | 'problem'>,
  anyExit: boolean,
): boolean {
  return problem !== undefined || (code !== 0 && !anyExit);
}

/** How a simulated run ended. */
export interface SeedVerdict {
  readonly seed: number;
  readonly code: number;
  /** The first property that did not hold; none if all did. */
  readonly problem: string | undefined;
  readonly virtualUs: number;
  readonly tasks: number;
  readonly hash: string;
}

/** One line on a run. */
export function verdictOf({ seed, code, problem, virtualUs, tasks, hash }: SeedVerdict): string {
  const how = problem === undefined ? `exit code ${code}` : `FAILED: ${problem}`;
  const seconds = (virtualUs / 1e6).toFixed(6);
  return `seed ${seed}: ${how}; ${seconds} s of virtual time, ${tasks} tasks, state ${hash}`;
}

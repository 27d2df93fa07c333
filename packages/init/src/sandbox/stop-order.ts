/**
 * Finds the order in which children are stopped: clients before the servers that they use, so that
 * the last requests of a client reach a server that is still there. Children that use each other in
 * a circle have no such order; then the one that the config names last goes first.
 */

/** A child and the children it has sessions with. */
export interface StopCandidate {
  readonly name: string;
  readonly servers: ReadonlySet<string>;
  /** Whether the child has been told to stop. */
  readonly stopping: boolean;
}

/**
 * The children of `remaining` that may be stopped now: those that no other child of the list uses,
 * or one of a circle.
 */
export function nextToStop<Candidate extends StopCandidate>(remaining: readonly Candidate[]): Candidate[] {
  const used = new Set(
    remaining.flatMap(({ name, servers }) => [...servers].filter((server) => server !== name)),
  );
  const unused = remaining.filter(({ name }) => !used.has(name));
  if (unused.length > 0) return unused;
  return remaining.some(({ stopping }) => stopping) ? [] : remaining.slice(-1);
}

/**
 * The order in which children are stopped: clients before the servers they use, so that what a client still has to
 * say reaches a server that is still there. Children that use each other in a circle have no such order; then the
 * one that the config names last goes first.
 */

/** A child and the children it has sessions with. */
export interface StopCandidate {
  readonly name: string;
  readonly servers: ReadonlySet<string>;
}

/** The children of `remaining` that nobody else in it uses; at least one if there are any. */
export function nextToStop(remaining: readonly StopCandidate[]): StopCandidate[] {
  const used = new Set(
    remaining.flatMap(({ name, servers }) => [...servers].filter((server) => server !== name)),
  );
  const unused = remaining.filter(({ name }) => !used.has(name));
  return unused.length > 0 ? unused : remaining.slice(-1);
}

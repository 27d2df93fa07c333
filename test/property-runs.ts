/**
 * The number of times that a property is tried: `pnpm fuzz --runs N` asks for more than the tests
 * do.
 */

/** The number of runs; `usual` if no other number was asked for. */
export function propertyRuns(usual: number): number {
  return Number(process.env['GINIT_PROPERTY_RUNS'] ?? usual);
}

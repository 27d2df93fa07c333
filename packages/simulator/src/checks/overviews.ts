/**
 * Compares what each init tells people of its children with the components that there are. This is
 * done while nothing is on its way, when a difference has no excuse.
 */
import { type ChildrenOverview, type ChildState, prependLabel, splitLabel } from '@ginit/core/system';

/** A live component, as far as it matters here. */
export interface Observed {
  readonly label: string;
  /** Whether it is being ended. */
  readonly ending: boolean;
  readonly runtime: { readonly overview: ChildrenOverview | undefined } | undefined;
}

/** The states of a child that surely has a thread, and of one that surely has none. */
const SURE: { readonly there: readonly ChildState[]; readonly gone: readonly ChildState[] } = {
  there: ['running'],
  gone: ['crashed', 'gave up'],
};

/** Returns the first child about which its init is wrong. */
export function whereOverviewsAreWrong(live: Iterable<Observed>): string | undefined {
  const components = [...live];
  if (components.some(({ ending }) => ending)) return undefined;
  const labels = new Set(components.map(({ label }) => label));
  for (const { label, runtime } of components) {
    const overview = runtime?.overview;
    if (!overview || overview.cut) continue;
    const problem = wrongAbout(label, overview, labels);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function wrongAbout(
  init: string,
  { children }: ChildrenOverview,
  labels: ReadonlySet<string>,
): string | undefined {
  for (const { name, state } of children) {
    const there = labels.has(prependLabel(init, name));
    if (!there && SURE.there.includes(state))
      return `[${init}] says that "${name}" is ${state}, and it is gone`;
    if (there && SURE.gone.includes(state)) return `[${init}] says that "${name}" ${state}, and it is there`;
  }
  const told = new Set(children.map(({ name }) => name));
  for (const label of labels) {
    const { prefix, last: name } = splitLabel(label);
    if (prefix === init && !told.has(name)) return `[${init}] does not tell of "${name}"`;
  }
  return undefined;
}

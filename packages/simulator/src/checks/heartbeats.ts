/**
 * Compares the heartbeats that each init says its children have skipped with which of them are
 * silent. This is done while nothing is on its way: whoever can answer has answered then.
 */
import { type ChildrenOverview, prependLabel } from '@ginit/core/system';

/** A live component, as far as it matters here. */
export interface Beating {
  readonly id: number;
  readonly label: string;
  /** Whether it is being ended. */
  readonly ending: boolean;
  readonly runtime: { readonly overview: ChildrenOverview | undefined } | undefined;
  readonly planned: { readonly silentUntilUs: number };
}

/** The time, and until when a component gets no turn. */
export interface Turns {
  readonly nowUs: number;
  heldUntilUs(id: number): number;
}

/** Returns the first child that is said to have skipped a heartbeat, and would have answered. */
export function whereHeartbeatsAreWrong(live: Iterable<Beating>, turns: Turns): string | undefined {
  const components = [...live];
  if (components.some(({ ending }) => ending)) return undefined;
  const held = ({ id }: Beating): boolean => turns.heldUntilUs(id) >= turns.nowUs;
  const byLabel = new Map(components.map((component) => [component.label, component]));
  for (const init of components) {
    // What an init tells that gets no turn itself is old.
    if (held(init)) continue;
    for (const { name, skippedHeartbeats } of init.runtime?.overview?.children ?? []) {
      const child = byLabel.get(prependLabel(init.label, name));
      if (skippedHeartbeats === 0 || !child || held(child)) continue;
      if (child.planned.silentUntilUs >= turns.nowUs) continue;
      return `[${init.label}] says that "${name}" has skipped ${skippedHeartbeats} heartbeats, and it answers`;
    }
  }
  return undefined;
}

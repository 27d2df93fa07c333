/**
 * An overview of the children of a component, as people see it: how each child stands, why it does
 * not get on, and with whom it has sessions. A component that runs children keeps one, as init
 * does. The supervisor asks for it, and joins the overviews of all inits with what it knows itself.
 */
import { LIMITS } from '../limits.ts';
import type { Env } from './env.ts';
import type { ChildAction, ChildOverview, ChildrenOverview, PlannedLine } from './overview-shapes.ts';

/** The source of an overview. */
export interface OverviewSource {
  /** All children at this moment, in the order of the config. */
  children(): readonly ChildOverview[];
  /**
   * Starts a child again, or ends it at once as if it had crashed. Settles when that is under way;
   * the result says why it is impossible.
   */
  act(action: ChildAction, child: string): Promise<string | undefined>;
  /**
   * The changes that another config would bring, in lines for people, without making them. Throws a
   * `ConfigError` if it cannot be read.
   */
  plan?(config: Uint8Array): readonly PlannedLine[];
}

const sources = new WeakMap<Env, OverviewSource>();

/** Makes `source` tell of the children of the component with this environment. */
export function keepOverview(env: Env, source: OverviewSource): void {
  sources.set(env, source);
}

/** The overview of a component's children; `undefined` if it keeps none. */
export function overviewOf(env: Env): ChildrenOverview | undefined {
  const source = sources.get(env);
  return source && bounded(source.children());
}

/** Acts on a child of a component. The result says why that is impossible. */
export async function actOnChild(env: Env, action: ChildAction, child: string): Promise<string | undefined> {
  const source = sources.get(env);
  if (!source) return 'the component runs no children that could be acted on';
  return (await source.act(action, child))?.slice(0, LIMITS.reasonBytes);
}

/** The changes that another config would bring; `undefined` if the component cannot say that. */
export function planOf(env: Env, config: Uint8Array): PlannedLine[] | undefined {
  const lines = sources.get(env)?.plan?.(config);
  return lines
    ?.slice(0, LIMITS.overviewSessions)
    .map(({ text, newConfig }) => ({ text: text.slice(0, LIMITS.reasonBytes), newConfig }));
}

/** As much of an overview as fits into one message, with its texts cut to their bounds. */
function bounded(all: readonly ChildOverview[]): ChildrenOverview {
  const children: ChildOverview[] = [];
  let room: number = LIMITS.overviewSessions;
  let cut = all.length > LIMITS.overviewChildren;
  for (const child of all.slice(0, LIMITS.overviewChildren)) {
    const sessions = child.sessions.slice(0, room);
    room -= sessions.length;
    cut ||= sessions.length < child.sessions.length;
    const binary = child.binary.slice(0, LIMITS.reasonBytes);
    children.push({ ...child, binary, why: child.why?.slice(0, LIMITS.reasonBytes), sessions });
  }
  return { children, cut };
}

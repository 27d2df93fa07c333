/**
 * What a component that runs children has in use for itself: the quota of the sessions that it has
 * connected. The sessions that it requests in order to hand them on are its clients' affair.
 */
import type { Env } from './env.ts';
import type { Resources } from '../session/pd.ts';

const sources = new WeakMap<Env, () => Resources>();

/** For the runtime: says what the component with this environment has in use. */
export function setOwnUse(env: Env, source: () => Resources): void {
  sources.set(env, source);
}

/**
 * What the component with this environment has donated for the sessions that it uses itself, its
 * timer with its handler among them.
 */
export function ownUse(env: Env): Resources {
  return sources.get(env)?.() ?? { ram: 0, caps: 0 };
}

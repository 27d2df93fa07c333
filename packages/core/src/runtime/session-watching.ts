/**
 * How a component that hands sessions on hears of those that have lost their servers: for init,
 * which tells its children, to whom the sessions belong.
 */
import type { Env } from './env.ts';
import type { SessionWatcher } from './reattachments.ts';

type Take = (watcher: SessionWatcher) => void;

const takers = new WeakMap<Env, Take>();

/** For the runtime: takes the watcher of the component with this environment. */
export function setSessionWatching(env: Env, take: Take): void {
  takers.set(env, take);
}

/**
 * From now on `watcher` hears of the sessions that `env.request` opens with `reattach`, as far as
 * the parent tells of them. A later call replaces an earlier one.
 */
export function watchSessions(env: Env, watcher: SessionWatcher): void {
  takers.get(env)?.(watcher);
}

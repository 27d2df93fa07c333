/**
 * How a component offers a service by a root object of its own, and not by `env.provide`: for
 * components that hand session requests on to somebody else, whatever the service is, as init does
 * for the services of its children.
 */
import type { Implementation } from '../interface/interface.ts';
import type { Root } from '../session/parent.ts';
import type { Env } from './env.ts';

/** Announces a service to the parent. Settles when the parent has taken it. */
export type Announce = (service: string, root: Implementation<typeof Root>) => Promise<void>;

const announcers = new WeakMap<Env, Announce>();

/** For the runtime: how the component with this environment announces. */
export function setAnnouncer(env: Env, announce: Announce): void {
  announcers.set(env, announce);
}

/**
 * Announces a service whose root object is `root`. The donation of a request is in the component's
 * account when the root is asked, and what the root does not use must be free there when it is done
 * with the session. Rejects with `DENIED` if the parent does not want the service.
 */
export async function announceRoot(
  env: Env,
  service: string,
  root: Implementation<typeof Root>,
): Promise<void> {
  await announcers.get(env)?.(service, root);
}

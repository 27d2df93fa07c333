/**
 * How a component serves sessions that its parent has not asked it for: a component that runs
 * children may be asked by them. It gets the root object of a service and calls that itself, in the
 * place of its parent.
 */
import type { Implementation, SessionInterface } from '../interface/interface.ts';
import type { Root } from '../session/parent.ts';
import type { Env, SessionOpener } from './env.ts';

/** Makes the root object of a service that is not announced. */
export type MakeRoot = <I extends SessionInterface>(
  interface_: I,
  open: SessionOpener<I>,
) => Implementation<typeof Root>;

const makers = new WeakMap<Env, MakeRoot>();

/** For the runtime: how root objects are made for the component with this environment. */
export function setRootMaker(env: Env, make: MakeRoot): void {
  makers.set(env, make);
}

/**
 * The root object of a service of the component with this environment; `open` answers its session
 * requests, as for `env.provide`. What a session costs is charged to the component's own account
 * when `session` of the root is called, so the donation has to be there by then.
 */
export function ownRoot<I extends SessionInterface>(
  env: Env,
  interface_: I,
  open: SessionOpener<I>,
): Implementation<typeof Root> {
  const make = makers.get(env);
  if (!make) throw new TypeError('no environment of a component');
  return make(interface_, open);
}

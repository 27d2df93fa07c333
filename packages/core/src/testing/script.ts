/**
 * The peers of a component under test: services that it finds, each served by functions of the
 * test.
 */
import { type Component, component } from '../runtime/component.ts';
import type { Env, SessionContext } from '../runtime/env.ts';
import type { Implementation, SessionInterface } from '../interface/interface.ts';
import type { SessionTicket } from '../runtime/session-client.ts';

/**
 * Answers a session request of the component under test with the session's object. `context` has
 * the label, the arguments and the server's ends of the packet streams; `env` is the environment of
 * the peer, for capabilities and memory of its own.
 */
export type ScriptedOpener<I extends SessionInterface> = (
  context: SessionContext<I>,
  env: Env,
) => Implementation<I> | SessionTicket<I> | Promise<Implementation<I> | SessionTicket<I>>;

/** A service that a test serves; `script` makes it. */
export interface ScriptedService {
  readonly service: string;
  /** The component that serves it; `ready` is called with its environment. */
  readonly peer: (ready: (env: Env) => void) => Component;
}

/**
 * A service for the component under test, served by the test: `open` is asked for each session and
 * returns a plain object with the operations of the interface, or throws a `SessionError` to
 * refuse.
 */
export function script<I extends SessionInterface>(interface_: I, open: ScriptedOpener<I>): ScriptedService {
  const peer = (ready: (env: Env) => void): Component =>
    component({ provides: [interface_] }, (env) => {
      env.provide(interface_, (context) => open(context, env));
      ready(env);
    });
  return { service: interface_.service, peer };
}

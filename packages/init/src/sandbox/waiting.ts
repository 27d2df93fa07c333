/**
 * Who waits for whom among the children of a sandbox, and what becomes of those who do not answer.
 */
import type { Env } from '@ginit/core';
import type { ThreadState } from '@ginit/core/system';
import type { InitConfig } from '../model/index.ts';
import type { Child } from './child.ts';
import { type Wait, Waits, type WaitState } from './waits.ts';

/** The parts of a sandbox that this needs. */
export interface WaitingHost {
  readonly env: Env;
  config(): InitConfig;
  child(name: string): Child | undefined;
  /** The children that are on their way out. */
  leaving(): readonly Child[];
  crashed(child: Child, state: ThreadState): void;
}

/** The waits of a sandbox. */
export function waitsOf(host: WaitingHost): Waits {
  /** The child that somebody waits for: the one that leaves, if its successor is there already. */
  const waitedFor = (name: string): Child | undefined =>
    host.leaving().find((child) => child.name === name && !child.isGone) ?? host.child(name);
  const about = ({ for: name, service = '' }: Wait): WaitState => {
    const child = name === undefined ? undefined : host.child(name);
    if (!child?.running) return 'starting';
    return child.server.hasAnnounced(service) ? 'running' : 'not provided';
  };
  return new Waits({
    env: host.env,
    boundsOf: (name) => waitedFor(name)?.start.stepBounds ?? host.config().stepBounds,
    progressOf: async (name) => waitedFor(name)?.progress(),
    about,
    // A child that keeps others waiting too long is ended. For the others this is a crash of it.
    overdue: (name, reason) => {
      const child = waitedFor(name);
      if (!child) return;
      void host.env.error(reason);
      host.crashed(child, { state: 'crashed', reason, culprit: true });
      void child.kill();
    },
  });
}

/** The overview of a sandbox's children, for `ginit ps` and its like. */
import type { ChildOverview, ChildState } from '@ginit/core/system';
import { hasOwnProcess } from '../model/index.ts';
import type { Child } from './child.ts';

/** The facts about a child that the child itself does not know. */
export interface AboutChild {
  /** What it waits for, in words for people, if it has waited for a while. */
  readonly why: string | undefined;
  /** How often it was started again. */
  readonly restarts: number;
}

/** How a child stands. */
export function childOverview(child: Child, { why, restarts }: AboutChild): ChildOverview {
  const { name, start, exitCode } = child;
  return {
    name,
    binary: start.binary.name,
    state: stateOf(child, why),
    why,
    exitCode,
    restarts,
    skippedHeartbeats: 0,
    isolation: hasOwnProcess(start) ? 'process' : 'thread',
    ram: start.ram,
    caps: start.caps,
    sessions: child.sessions.ledger.map(({ service, server, closing }) => ({
      service,
      label: '',
      server,
      state: closing ? 'CLOSING' : 'OK',
    })),
  };
}

function stateOf({ exitCode, ended, running, start }: Child, why: string | undefined): ChildState {
  if (exitCode !== undefined) return 'exited';
  if (ended) return start.restart ? 'restarting' : 'crashed';
  if (!running) return 'incomplete';
  return why === undefined ? 'running' : 'waiting';
}

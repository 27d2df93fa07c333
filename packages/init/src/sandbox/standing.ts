/** How the children of a sandbox stand, for people. */
import type { Resources } from '@ginit/core/system';
import type { Child } from './child.ts';

/** How a child stands. */
export type ChildState =
  /** It is not there yet: it is being made, or could not be made. */
  | 'incomplete'
  | 'running'
  /** Routes of it are missing. */
  | 'stuck'
  | 'ending'
  | 'exited'
  | 'crashed'
  /** It has crashed more often than its start node allows. */
  | 'gave up'
  | 'restarting';

/** A child as the sandbox sees it. */
export interface ChildStanding {
  readonly name: string;
  /** Counts the children that were ever made; a child that is started again has another number. */
  readonly id: number;
  readonly state: ChildState;
  /** A text that names what keeps the child from getting on, if anything does. */
  readonly why: string | undefined;
  readonly exitCode: number | undefined;
  /** The quota of its clients that the child has kept. */
  readonly kept: Resources;
}

/** `waitsFor` names what the child waits for, if it has waited for a while. */
export function standingOf(child: Child, waitsFor: string | undefined): ChildStanding {
  return {
    name: child.name,
    id: child.id,
    state: stateOf(child),
    why: child.stuck?.why ?? (child.over?.how === 'exited' ? undefined : child.over?.why) ?? waitsFor,
    exitCode: child.exitCode,
    kept: child.server.kept,
  };
}

function stateOf({ over, stuck, ended, running, restarting }: Child): ChildState {
  if (stuck) return 'stuck';
  if (restarting || over?.undecided) return 'restarting';
  if (over?.gaveUp) return 'gave up';
  if (over) return over.how === 'failed' ? 'incomplete' : over.how;
  if (ended) return 'ending';
  return running ? 'running' : 'incomplete';
}

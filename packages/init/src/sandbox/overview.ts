/** How the children of a sandbox stand: for whoever runs it, and for `ginit ps` and its like. */
import type { ChildOverview, ChildState, Resources } from '@ginit/core/system';
import { hasOwnProcess } from '../model/index.ts';
import type { Child } from './child.ts';

/** A child as whoever runs a sandbox sees it. */
export interface ChildStanding {
  readonly name: string;
  /** Counts the children that were ever made; a child that is started again has another number. */
  readonly id: number;
  readonly state: ChildState;
  /** What keeps the child from getting on, in one phrase, if anything does. */
  readonly why: string | undefined;
  readonly exitCode: number | undefined;
  /** The quota of its clients that the child has kept. */
  readonly kept: Resources;
}

/** `waitsFor` says what the child waits for, if it has waited for a while. */
export function standingOf(child: Child, waitsFor: string | undefined): ChildStanding {
  const { name, id, exitCode } = child;
  const why = whyOf(child, waitsFor);
  return { name, id, state: stateOf(child, waitsFor), why, exitCode, kept: child.server.kept };
}

/** The same for people. */
export function childOverview(child: Child, waitsFor: string | undefined): ChildOverview {
  const { name, start, exitCode, restarts } = child;
  return {
    name,
    binary: start.binary.name,
    state: stateOf(child, waitsFor),
    why: whyOf(child, waitsFor),
    exitCode,
    restarts,
    skippedHeartbeats: 0,
    isolation: hasOwnProcess(start) ? 'process' : 'thread',
    ram: start.ram,
    caps: start.caps,
    sessions: child.sessions.overview,
  };
}

function whyOf({ stuck, over }: Child, waitsFor: string | undefined): string | undefined {
  if (over) return over.how === 'exited' ? undefined : over.why;
  return stuck?.why ?? waitsFor;
}

function stateOf({ over, stuck, running, restarting }: Child, waitsFor: string | undefined): ChildState {
  if (over?.how === 'exited') return 'exited';
  if (stuck) return 'stuck';
  if (restarting || over?.undecided) return 'restarting';
  if (over?.gaveUp) return 'gave up';
  if (over) return over.how === 'failed' ? 'incomplete' : 'crashed';
  if (!running) return 'incomplete';
  return waitsFor === undefined ? 'running' : 'waiting';
}

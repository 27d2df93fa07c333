/** How the children of a sandbox stand: for whoever runs it, and for `ginit ps` and its like. */
import type { ChildOverview, ChildState, Resources } from '@ginit/core/system';
import { hasOwnProcess } from '../model/index.ts';
import { type Surroundings, whyOf } from './child-report.ts';
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

/** The characters of a phrase that people see: at most `LIMITS.reasonBytes` in any script. */
const WHY_CHARACTERS_MAX = 250;

/** How a child is looked at. */
export interface Looking extends Surroundings {
  /** Whether the child has waited for a server for a while. */
  readonly waits: boolean;
}

/** How a child stands. */
export function standingOf(child: Child, looking: Looking): ChildStanding {
  const { name, id, exitCode } = child;
  const why = whyOf(child, looking, looking.waits);
  return { name, id, state: stateOf(child, why), why, exitCode, kept: child.server.kept };
}

/** The same for people. */
export function childOverview(child: Child, looking: Looking): ChildOverview {
  const { name, start, exitCode, restarts, heartbeat } = child;
  const why = whyOf(child, looking, looking.waits);
  return {
    name,
    binary: start.binary.name,
    state: stateOf(child, why),
    // Servers and crashed components have a say in it, and it travels to the supervisor.
    why: why?.slice(0, WHY_CHARACTERS_MAX),
    exitCode,
    restarts,
    skippedHeartbeats: start.heartbeat ? heartbeat.skipped : 0,
    isolation: hasOwnProcess(start) ? 'process' : 'thread',
    ram: start.ram,
    caps: start.caps,
    sessions: child.sessions.overview,
  };
}

function stateOf({ over, stuck, running, restarting, ended }: Child, why: string | undefined): ChildState {
  if (over?.how === 'exited') return 'exited';
  if (stuck) return 'stuck';
  if (restarting || over?.undecided) return 'restarting';
  if (over?.gaveUp) return 'gave up';
  if (over) return over.how === 'failed' ? 'incomplete' : 'crashed';
  if (ended) return 'ending';
  if (!running) return 'incomplete';
  return why === undefined ? 'running' : 'waiting';
}

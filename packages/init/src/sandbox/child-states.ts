/**
 * The states of a child that no config and no thread tells: its end, and routes that are missing.
 */
import type { RoutedSession, Standing } from '../plan/index.ts';
import type { Successor } from './successor.ts';

/** The two ways in which a child ends: stopped in order, or gone already. */
export type HowItEnds = 'stopped' | 'crashed';

/** Why a child is not there any more, or never was. It stays in the list of children. */
export interface Over {
  readonly how: Extract<Standing, 'failed' | 'exited' | 'crashed'>;
  /** The reason, for people. */
  readonly why: string;
  /** Whether it has crashed more often than its start node allows. */
  readonly gaveUp?: boolean;
  /** Set while it is being decided whether it is started again: who asks for it meanwhile waits. */
  readonly undecided?: Successor | undefined;
}

/** A child that has lost routes: the reason, and the sessions that must all have one again. */
export interface Stuck {
  readonly why: string;
  readonly sessions: readonly RoutedSession[];
}

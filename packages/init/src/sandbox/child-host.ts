/** What a child needs of the sandbox that runs it. */
import type { Env } from '@ginit/core';
import type { ThreadState } from '@ginit/core/system';
import type { Semaphore } from '@ginit/core/async';
import type { InitConfig } from '../model/index.ts';
import type { Custody } from './custody.ts';
import type { RoutedTo } from './client-sessions.ts';
import type { Waits } from './waits.ts';

/**
 * The services of the sandbox that a child needs; `Child` is the class that this file must not
 * know.
 */
export interface ChildHost<Child> {
  readonly env: Env;
  readonly config: InitConfig;
  /** Limits how many threads are started at the same time. */
  readonly launches: Semaphore;
  readonly waits: Waits;
  /** What children have donated for sessions that init serves itself. */
  readonly custody: Custody;
  /**
   * Finds the server of a request; `label` is the label that the routes see. Throws `SessionError`
   * if there is none.
   */
  route(child: Child, service: string, label: string): RoutedTo | 'config';
  announced(child: Child, service: string): void;
  exited(child: Child, code: number): void;
  crashed(child: Child, state: ThreadState): void;
  /** The child asks for other amounts of quota than before: see its `requested`. */
  resourcesRequested(child: Child): void;
  /** The child has freed what it could of the quota that it was asked to give back. */
  yielded(child: Child): void;
  /** Something of the child has changed that the state report shows. */
  changed(): void;
  /** Reports why a child has come to an end that the supervisor has not reported. */
  tell(child: Child, why: string): void;
}

/** What a child needs of the sandbox that runs it. */
import type { Env } from '@ginit/core';
import type { ThreadState } from '@ginit/core/system';
import type { Semaphore } from '@ginit/core/async';
import type { InitConfig } from '../model/index.ts';
import type { Child } from './child.ts';
import type { RoutedTo } from './client-sessions.ts';
import type { Waits } from './waits.ts';

/** The services of the sandbox that a child needs. */
export interface ChildHost {
  readonly env: Env;
  /** The config that holds at this moment. */
  readonly config: InitConfig;
  /** Limits how many threads are started at the same time. */
  readonly launches: Semaphore;
  readonly waits: Waits;
  /**
   * Finds the server of a request; `label` is the label that the routes see. Throws `SessionError`
   * if there is none: `NoRoute` if the routes lead nowhere.
   */
  route(child: Child, service: string, label: string): RoutedTo | 'config';
  exited(child: Child, code: number): void;
  crashed(child: Child, state: ThreadState): void;
  /** Reports why a child has come to an end that the supervisor has not reported. */
  tell(child: Child, why: string): void;
}

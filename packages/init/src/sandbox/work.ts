import type { Child } from './child.ts';

/** What the changes of a config leave to be done. */
export interface Work {
  readonly leave: Child[];
  readonly launch: Child[];
  budget: boolean;
  /** The children whose places are taken now by others that are ready. */
  readonly ready: ReadonlySet<string>;
  /** The reasons of those who have asked for restarts. */
  readonly forced: ReadonlyMap<string, string>;
  /** The children that this plan starts, restarts or stops. */
  readonly touched: ReadonlySet<string>;
  readonly retry: boolean;
}

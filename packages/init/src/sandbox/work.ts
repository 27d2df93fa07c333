import type { Child } from './child.ts';

/** What the changes of a config leave to be done. */
export interface Work {
  readonly leave: Child[];
  readonly launch: Child[];
  budget: boolean;
}

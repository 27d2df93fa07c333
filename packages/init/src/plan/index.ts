/** What a new config changes: pure, so that it can be said before it is done. */
export { type Change, nameOf, type Reroute, touches } from './changes.ts';
export { describeChange, describePlan } from './describe.ts';
export { planTree, type Planner } from './tree.ts';
export type { Destination, ExistingChild, RoutedSession, ServedBy, Standing } from './existing.ts';
export { expectedChildren, type ServicesNeeded } from './expected.ts';
export { planChanges, type PlanOptions } from './plan.ts';
export { sameNode } from './same-node.ts';

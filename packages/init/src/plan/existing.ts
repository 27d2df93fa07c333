/** What the plan must know of the children that there are. */
import type { Quota, StartNode } from '../model/index.ts';

/** The place to which a session was routed. */
export type Destination =
  /** The `<config>` of its start node, which init serves. */
  | { readonly kind: 'config' }
  /**
   * The ROM `config` of a child without a `<config>` that nobody else has. Init serves an empty
   * one. `refused` is the server that was asked, if there was a route.
   */
  | { readonly kind: 'no config'; readonly refused: ServedBy | undefined }
  | ServedBy;

/**
 * A server, and the label that it sees: the parent, a service of the component itself that runs the
 * children (`local`), or a child.
 */
export type ServedBy =
  | { readonly kind: 'parent' | 'local'; readonly label: string }
  | { readonly kind: 'child'; readonly child: string; readonly label: string };

/** A session that a child has opened or has asked for, or that init has opened to run it. */
export interface RoutedSession {
  readonly service: string;
  /** The label that the routes are compared with: `child -> label`, or that of the environment. */
  readonly label: string;
  readonly to: Destination;
  /** Whether the child can take a new session in its place. */
  readonly reattach?: true;
}

/**
 * How a child stands.
 *
 * - `alive`: it is being started, or runs.
 * - `stuck`: one of its sessions has no route. It is left as it is until all of them have one.
 * - `failed`: it could not be created. Its services do not count.
 * - `retried`: it could not be created before, and is being tried again. Its services do not count
 *   before that has gone well.
 * - `exited`, `crashed`: it has ended, and is not being started again.
 */
export type Standing = 'alive' | 'stuck' | 'failed' | 'retried' | 'exited' | 'crashed';

/** A child of a running system, or one that a config would make. */
export interface ExistingChild {
  /** The start node as it was last applied to the child. */
  readonly start: StartNode;
  readonly standing: Standing;
  /** Its sessions; of a stuck child those that it had when it got stuck. */
  readonly sessions: readonly RoutedSession[];
  /** The quota that it has been assigned so far. */
  readonly assigned: Quota;
  /** Whether it runs and offers all of its services. */
  readonly ready: boolean;
}

/** The changes that a new config makes to the children that there are. */
import type { Quota, StartNode } from '../model/index.ts';
import type { RoutedSession, ServedBy } from './existing.ts';

/** A session that leads elsewhere by the new config. */
export interface Reroute {
  readonly session: RoutedSession;
  /**
   * The new place; `undefined` if there is none, or, for a restart, if it is another child with the
   * same name.
   */
  readonly to: ServedBy | { readonly kind: 'config' } | undefined;
}

/** One change. Every change but `stop` and `start` is about a child that there is. */
export type Change =
  /** A child is made: a new one, or one in the place of a child that has failed or crashed. */
  | { readonly kind: 'start'; readonly start: StartNode; readonly why: string }
  /** A child is stopped, and nothing takes its place. */
  | { readonly kind: 'stop'; readonly name: string; readonly why: string }
  /** A child is stopped, and a new one takes its place. */
  | {
      readonly kind: 'restart';
      readonly start: StartNode;
      readonly why: string;
      readonly reroutes: readonly Reroute[];
      /** The child that is being replaced, if this comes when its replacement is ready. */
      readonly after: string | undefined;
    }
  /**
   * A child goes on while another is started that is to take its place when it offers all of its
   * services.
   */
  | { readonly kind: 'replace'; readonly start: StartNode; readonly why: string }
  /** A child has sessions without a route. It is left as it is, without these sessions. */
  | {
      readonly kind: 'stuck';
      readonly name: string;
      readonly why: string;
      readonly lost: readonly RoutedSession[];
    }
  /**
   * A child stays and loses sessions, for which it is handed new ones: at once, or as soon as there
   * is a route for them.
   */
  | {
      readonly kind: 'reattach';
      readonly name: string;
      readonly why: string;
      readonly sessions: readonly Reroute[];
      /** As for a restart. */
      readonly after: string | undefined;
    }
  /** A child gets another version of its ROM `config`. */
  | { readonly kind: 'config'; readonly name: string }
  /** A server provides other services than before. */
  | {
      readonly kind: 'provides';
      readonly name: string;
      readonly added: readonly string[];
      readonly removed: readonly string[];
    }
  /** A child gets another quota. */
  | { readonly kind: 'budget'; readonly name: string; readonly from: Quota; readonly to: Quota };

/** The name of the child that a change is about. */
export function nameOf(change: Change): string {
  return 'start' in change ? change.start.name : change.name;
}

/** Whether a change ends or begins a child now; `ready` are those that are replaced now. */
export function touches(change: Change, ready: ReadonlySet<string>): boolean {
  switch (change.kind) {
    case 'start':
    case 'stop':
      return true;
    case 'restart':
      return change.after === undefined || ready.has(change.after);
    case 'replace':
    case 'stuck':
    case 'reattach':
    case 'config':
    case 'provides':
    case 'budget':
      return false;
  }
}

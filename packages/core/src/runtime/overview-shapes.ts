/** An overview of the children of a component as it travels to the supervisor (`overview.ts`). */
import {
  boolean,
  list,
  oneOf,
  optional,
  record,
  type ShapeType,
  text,
  u32,
  u53,
} from '../interface/shapes.ts';
import { LABEL_SIZE_MAX_BYTES } from '../label.ts';
import { LIMITS } from '../limits.ts';

/**
 * How a child stands.
 * `incomplete`: its environment is not complete yet, or its main function was not called yet.
 * `running`: its main function was called.
 * `stuck`: one of its sessions has lost its route, and the child waits for another config.
 * `waiting`: it waits for another component, for long enough to be worth telling.
 * `exited`: it has given its exit code. `crashed`: it is down and is not started again.
 * `gave up`: it has crashed more often than its start node allows, and stays down.
 * `restarting`: it is down, and is going to be started again.
 * `ending`: it is being taken down, and may be gone already.
 */
export const CHILD_STATES = [
  'incomplete',
  'running',
  'stuck',
  'waiting',
  'exited',
  'crashed',
  'gave up',
  'restarting',
  'ending',
] as const;
/** One of `CHILD_STATES`. */
export type ChildState = (typeof CHILD_STATES)[number];

const sessionOverview = record({
  service: text(LIMITS.nameBytes),
  /** The label as the server sees it. */
  label: text(LABEL_SIZE_MAX_BYTES),
  /** The name of the sibling that serves it; missing if its server is above the parent. */
  server: optional(text(LIMITS.nameBytes)),
  /** The state of the session, in the words of init's state report. */
  state: text(LIMITS.nameBytes),
});
/** A session that a child has asked for. */
export type SessionOverview = ShapeType<typeof sessionOverview>;

const plannedLine = record({
  /** The change in words. */
  text: text(LIMITS.reasonBytes),
  /** The child that goes on with another config, if that is the change. */
  newConfig: optional(text(LIMITS.nameBytes)),
});
/** A line of what another config would change, for people. */
export type PlannedLine = ShapeType<typeof plannedLine>;
/** All that another config would change; `undefined` if the component cannot say that. */
export const planAnswer = optional(list(plannedLine, LIMITS.overviewSessions));

const childOverview = record({
  name: text(LIMITS.nameBytes),
  /** The name of its binary, as the config gives it. */
  binary: text(LIMITS.reasonBytes),
  state: oneOf(CHILD_STATES),
  /** What keeps it from getting on, in one phrase for people. */
  why: optional(text(LIMITS.reasonBytes)),
  exitCode: optional(u32),
  /** How often it was started again, by whatever cause. */
  restarts: u32,
  skippedHeartbeats: u32,
  /** Where it runs: a thread, or a process of its own. */
  isolation: oneOf(['thread', 'process']),
  /** The quota that its start node assigns. */
  ram: u53,
  caps: u53,
  sessions: list(sessionOverview, LIMITS.overviewSessions),
});
/** A child, as its parent sees it. */
export type ChildOverview = ShapeType<typeof childOverview>;

const childrenOverview = record({
  children: list(childOverview, LIMITS.overviewChildren),
  /** Whether there were too many children or sessions for one message. */
  cut: boolean,
});
/** The children of one component. */
export type ChildrenOverview = ShapeType<typeof childrenOverview>;
/** The shape of the answer; the field is missing where a component keeps no overview. */
export const overviewAnswer = optional(childrenOverview);

/** What people may do to a child. */
export const CHILD_ACTIONS = ['restart', 'kill'] as const;
/** One of `CHILD_ACTIONS`. */
export type ChildAction = (typeof CHILD_ACTIONS)[number];
/** The shapes of the operation by which a child is acted on. */
export const childAction = oneOf(CHILD_ACTIONS);

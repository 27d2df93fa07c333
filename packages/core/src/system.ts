/**
 * For components that run children, as init does: accounts, threads, what a parent and its children
 * ask of each other, what things cost, and how lines are made fit for people.
 */

// Accounts and threads: the supervisor's services for a component that starts others.
export * from './session/pd.ts';
export * from './session/cpu.ts';
export * from './session/scheduling.ts';
export { isConfined, withConfinement } from './session/confinement.ts';

// A parent and its children.
export * from './session/parent.ts';
export { SESSION_ERRORS, toSessionErrorCode } from './errors.ts';
export { announceRoot } from './runtime/announcing.ts';
export { ownRoot } from './runtime/own-root.ts';
export { ownUse } from './runtime/own-use.ts';
export { refuseTooLittle } from './session/session-memory.ts';
export { QuotaDialogue, type QuotaDialogueHost } from './runtime/quota-dialogue.ts';
export { SessionDialogue } from './runtime/session-dialogue.ts';
export { watchSessions } from './runtime/session-watching.ts';
export type { SessionWatcher } from './runtime/reattachments.ts';
export { keepLedger, type Ledger, type LedgerChild, type LedgerSession } from './runtime/ledger.ts';

// An overview of a parent's children, for people.
export {
  CHILD_ACTIONS,
  CHILD_STATES,
  type ChildAction,
  type ChildOverview,
  type ChildrenOverview,
  type ChildState,
  type PlannedLine,
  type SessionOverview,
} from './runtime/overview-shapes.ts';
export { keepOverview, type OverviewSource } from './runtime/overview.ts';

// Labels: the name of the component that asks, as its parents have written it.
export {
  CHILD_NAME_SIZE_MAX_BYTES,
  childNameProblem,
  LABEL_SEPARATOR,
  LABEL_SIZE_MAX_BYTES,
  LabelError,
  labelProblem,
  labelWithin,
  prependLabel,
  splitLabel,
} from './label.ts';

// Costs and bounds.
export { type Cost, COSTS, sumOf } from './costs.ts';
export { LIMITS } from './limits.ts';

// Lines for people.
export { linesOf, messageLines, visibleLines, visibleText } from './log-text.ts';

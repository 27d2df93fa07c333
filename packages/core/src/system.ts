/**
 * For whoever runs children, as init does: accounts, threads, what a parent and its children ask of each other, what things
 * cost, and the words in which all of it is told.
 */

// Accounts and threads: core's services for whoever starts something.
export * from './session/pd.ts';
export * from './session/cpu.ts';
export * from './session/scheduling.ts';
export { isConfined, withConfinement } from './session/confinement.ts';

// A parent and its children.
export * from './session/parent.ts';
export { SESSION_ERRORS, toSessionErrorCode } from './errors.ts';
export { refuseTooLittle } from './runtime/session-cost.ts';
export { keepLedger, type Ledger, type LedgerChild, type LedgerSession } from './runtime/ledger.ts';

// Labels: who asks.
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

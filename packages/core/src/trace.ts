/**
 * Tracing: the TRACE session by which a component looks into others (`Trace`, `TraceBuffer`), and
 * the types of policies, which say what the events hold.
 */
export {
  Trace,
  TRACE_ERRORS,
  TRACE_STATES,
  type TraceErrorCode,
  TraceSink,
  type TraceState,
  type TraceSubject,
} from './session/trace/declaration.ts';
export { TraceBuffer, type TracedEvents, type TraceHome } from './session/trace/trace-buffer.ts';
export {
  readEntries,
  TRACE_HOOKS,
  type TraceContext,
  type TraceEvent,
  type TraceHook,
} from './trace/event.ts';
export type {
  CallHappening,
  CheckpointHappening,
  PacketHappening,
  SignalHappening,
  TracePolicy,
  Written,
} from './trace/policy.ts';
export { isPolicyProblem, type PolicyProblem, readPolicy } from './trace/policy-module.ts';
export { STOCK_POLICIES } from './trace/stock-policies.ts';

// For whoever shows what was traced.
export { chromeTrace, type TracedComponent } from './trace/chrome-trace.ts';
export { type CallSpan, type Spans, spansOf, spanText } from './trace/spans.ts';
export { eventLine } from './trace/event-line.ts';

/**
 * TRACE: who runs, and what runs in whom (reference: Genode's TRACE session). A subject is a
 * component. A session sees those whose label is its own or below it; with the label of root init,
 * all. A tracer gives a subject a policy and a buffer; the subject itself asks the policy at each
 * hook, and writes the events.
 *
 * In Genode core allocates the buffer from the quota of the session. Here the tracer allocates it
 * from its own account and hands out a `TraceSink`, because memory passes between components, not
 * between them and core; where none can be shared at all (another machine), the events travel in
 * calls of the same object.
 */
import { capability } from '../../capability/capability.ts';
import { COSTS } from '../../costs.ts';
import type { Capability } from '../../interface/interface.ts';
import { rpc, rpcInterface, session } from '../../interface/interface.ts';
import { TRACE_SINK } from '../../interface/operation.ts';
import {
  bytes,
  integer,
  list,
  nothing,
  oneOf,
  optional,
  record,
  type ShapeType,
  text,
  u32,
  u53,
} from '../../interface/shapes.ts';
import { LABEL_SIZE_MAX_BYTES } from '../../label.ts';
import { LIMITS } from '../../limits.ts';
import type { Dataspace } from '../../memory/dataspace.ts';
import { dataspace } from '../rom.ts';

/** What can be wrong with a request, beside the errors of quota. */
export const TRACE_ERRORS = [
  'OUT_OF_RAM',
  'OUT_OF_CAPS',
  'FOREIGN',
  'SOURCE_IS_DEAD',
  'INVALID_SUBJECT',
  'INVALID_POLICY',
] as const;
/** One of `TRACE_ERRORS`. */
export type TraceErrorCode = (typeof TRACE_ERRORS)[number];

/**
 * How a subject stands: `foreign` is traced by another session, `error` is not traced any more
 * because its policy or its buffer has failed, `dead` has ended since it was traced.
 */
export const TRACE_STATES = ['untraced', 'traced', 'foreign', 'error', 'dead'] as const;
/** One of `TRACE_STATES`. */
export type TraceState = (typeof TRACE_STATES)[number];

const subject = record({
  id: u53,
  /** The number by which events name it at the other end of a call. */
  component: u53,
  label: text(LABEL_SIZE_MAX_BYTES),
  state: oneOf(TRACE_STATES),
  /** Whether its tracing is paused. */
  paused: oneOf(['yes', 'no']),
  /** The policy that it was given, if this session has given it one. */
  policy: optional(u53),
  /** Why the state is `error`. */
  reason: optional(text(LIMITS.reasonBytes)),
  /** The time that its thread was on a CPU, in microseconds, where that is known. */
  executionUs: optional(u53),
  /** The process that it runs in; 0 where that is not known. */
  process: u53,
  /** The machine that it runs on, if that is another one than core's. Its clock is another, too. */
  node: optional(text(LIMITS.reasonBytes)),
});
/** A component, as a TRACE session sees it. */
export type TraceSubject = ShapeType<typeof subject>;

/** Where the events of a subject go. The tracer has it; the subject holds it while it is traced. */
export const TraceSink = rpcInterface(TRACE_SINK, {
  /** The buffer, zeroed, as a ring (`trace/ring-layout.ts`). */
  dataspace: rpc<() => Dataspace>({ args: [], result: dataspace }),
  /** Entries of a ring that the tracer cannot see, and how many were overwritten before them. */
  append: rpc<(entries: Uint8Array, lost: number) => void>({
    args: [bytes(LIMITS.traceAppendBytes), u32],
    result: nothing,
  }),
});

/** The TRACE session. */
export const Trace = session(
  'TRACE',
  {
    subjects: rpc<() => TraceSubject[]>({ args: [], result: list(subject, LIMITS.traceSubjects) }),
    /** A policy: the text of a module, or names of stock policies. Throws `INVALID_POLICY`. */
    allocPolicy: rpc<(source: string) => number>({
      args: [text(LIMITS.tracePolicyCharacters)],
      result: u53,
    }),
    /** Forgets a policy. Subjects that have it keep it. */
    unloadPolicy: rpc<(policy: number) => void>({ args: [u53], result: nothing }),
    /**
     * Traces a subject with a policy; one that this session traces already gets the new policy and
     * the new buffer. Settles when its hooks are on.
     */
    trace: rpc<
      (subject: number, policy: number, sizeBytes: number, sink: Capability<typeof TraceSink>) => void
    >({
      args: [
        u53,
        u53,
        integer(LIMITS.traceBufferBytesMin, LIMITS.traceBufferBytesMax),
        capability(TraceSink),
      ],
      result: nothing,
    }),
    /** The hooks go off until `resume`; policy and buffer stay. */
    pause: rpc<(subject: number) => void>({ args: [u53], result: nothing }),
    resume: rpc<(subject: number) => void>({ args: [u53], result: nothing }),
    /** Ends the tracing of a subject; one that is dead is forgotten. */
    free: rpc<(subject: number) => void>({ args: [u53], result: nothing }),
  },
  { cost: COSTS.trace, errors: TRACE_ERRORS },
);

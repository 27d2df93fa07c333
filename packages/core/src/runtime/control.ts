/**
 * The protocol between a component and the supervisor on their own channel. Each end finds the
 * other's object at index 0. The runtime uses it; component code does not see it.
 */
import { capability } from '../capability/capability.ts';
import { type Capability, rpc, rpcInterface } from '../interface/interface.ts';
import { CONTROL_INTERFACES } from '../interface/operation.ts';
import {
  boolean,
  bytes,
  nothing,
  oneOf,
  optional,
  record,
  type ShapeType,
  text,
  u32,
  u53,
} from '../interface/shapes.ts';
import { SESSION_ERRORS } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import {
  type ChildAction,
  childAction,
  type ChildrenOverview,
  overviewAnswer,
  planAnswer,
  type PlannedLine,
} from './overview-shapes.ts';
import { HostGrant, hostGrant, type HostGrantFact } from '../session/host-grant.ts';
import { Parent } from '../session/parent.ts';
import { Pd } from '../session/pd.ts';
import { TraceSink } from '../session/trace/declaration.ts';
import type { TraceOrder, TraceRefusal } from './component-tracing.ts';

/**
 * A request to hand a capability to a third component: "introduce entry `index` of `via`'s table to
 * `to`, as number `number`".
 */
const introduction = record({ number: u32, via: u32, index: u32, to: u32 });
export type IntroductionRequest = ShapeType<typeof introduction>;

/**
 * The supervisor's request to the owner of the capability: "put entry `index` of `giver`'s table
 * into your channel to `to`, as `giver`'s number `number`".
 */
const offer = record({ giver: u32, number: u32, index: u32, to: u32 });
export type IntroductionOffer = ShapeType<typeof offer>;

/**
 * The calls that a component may make to the supervisor: object 0 of the supervisor, one for each
 * component.
 */
export const SupervisorCalls = rpcInterface(CONTROL_INTERFACES.supervisor, {
  /** Settles when the owner has made the introduction, or cannot make it. */
  introduce: rpc<(request: IntroductionRequest) => void>({ args: [introduction], result: nothing }),
  /**
   * A host grant that the caller has, or the same for reading only, as a capability to be handed
   * on.
   */
  grant: rpc<(wanted: HostGrantFact) => Capability<typeof HostGrant>>({
    args: [hostGrant],
    result: capability(HostGrant),
  }),
  /**
   * The caller's thread waits for `peer` in a synchronous call; `wait` numbers the wait. Rejects
   * with `WouldDeadlock` if that closes a circle of waits.
   */
  waiting: rpc<(peer: number, wait: number) => void>({ args: [u32, u32], result: nothing }),
  /** That wait is over. */
  waited: rpc<(wait: number) => void>({ args: [u32], result: nothing }),
  /** The order with this number ends by itself: the policy, or the tracer, has failed. */
  traceEnded: rpc<(number: number, reason: string) => void>({
    args: [u53, text(LIMITS.reasonBytes)],
    result: nothing,
  }),
  /** Whether somebody has asked for the caller to be stopped. */
  stopping: rpc<() => boolean>({ args: [], result: boolean }),
});

/**
 * The counts that a component keeps. `requests` are calls of its session objects and packets that
 * it took, `calls` are the calls alone, and `packets` are those that were acknowledged at either
 * end. `completed` is what it has got done (see `Completed`), and `heapUsed` is the bytes of V8's
 * heap in use, where components have heaps of their own.
 */
const statistics = record({
  requests: u53,
  calls: u53,
  packets: u53,
  completed: u53,
  heapUsed: optional(u53),
});
export type ComponentStatistics = ShapeType<typeof statistics>;

const startRequest = record({ parent: capability(Parent), pd: capability(Pd) });

/** The means that a component needs to begin: its parent and its account. */
export interface StartRequest {
  parent: Capability<typeof Parent>;
  pd: Capability<typeof Pd>;
}

const traceOrder = record({
  number: u53,
  component: u32,
  salt: record({ high: u32, low: u32 }),
  policy: text(LIMITS.tracePolicyCharacters),
  sizeBytes: u53,
  sink: capability(TraceSink),
});

const traceRefusal = record({
  code: oneOf(['INVALID_POLICY', 'OUT_OF_RAM', 'SOURCE_IS_DEAD']),
  reason: text(LIMITS.reasonBytes),
});

/** The calls that the supervisor may make to a component: object 0 of the component. */
export const ComponentControl = rpcInterface(
  CONTROL_INTERFACES.component,
  {
    /**
     * Hands over the parent and the account, and runs the main function. Settles when that was
     * called; rejects if a session that every component has was refused, with the reason. The
     * result is the number of the component's thread at the host's kernel, where that is known.
     */
    start: rpc<(request: StartRequest) => number | undefined>({
      args: [startRequest],
      result: optional(u53),
    }),
    /** Runs the component's stop handlers; settles when they are done. */
    stop: rpc<() => void>({ args: [], result: nothing }),
    statistics: rpc<() => ComponentStatistics>({ args: [], result: statistics }),
    /** What it says of its children; `undefined` if it keeps no overview. */
    overview: rpc<() => ChildrenOverview | undefined>({ args: [], result: overviewAnswer }),
    /** The changes that another config would bring; `undefined` if it cannot say that. */
    plan: rpc<(config: Uint8Array) => PlannedLine[] | undefined>({
      args: [bytes(LIMITS.planBytes)],
      result: planAnswer,
    }),
    /** Acts on one of its children. The result says why that is impossible. */
    act: rpc<(action: ChildAction, child: string) => string | undefined>({
      args: [childAction, text(LIMITS.nameBytes)],
      result: optional(text(LIMITS.reasonBytes)),
    }),
    /** Traces the component; the result says why it cannot be. */
    trace: rpc<(order: TraceOrder) => TraceRefusal | undefined>({
      args: [traceOrder],
      result: optional(traceRefusal),
    }),
    /** Ends an order. Settles when the sink has all events. */
    traceEnd: rpc<(number: number) => void>({ args: [u53], result: nothing }),
    tracePause: rpc<(number: number, paused: boolean) => void>({ args: [u53, boolean], result: nothing }),
    /** Settles in a turn of the component's own, to show that it goes on. */
    heartbeat: rpc<() => void>({ args: [], result: nothing }),
    /**
     * Whether the component's thread is still in the wait with this number. Answered even while it
     * waits.
     */
    stillWaiting: rpc<(wait: number) => boolean>({ args: [u32], result: boolean }),
    offer: rpc<(offer: IntroductionOffer) => void>({ args: [offer], result: nothing }),
    introductionFailed: rpc<(giver: number, number: number, owner: number, reason: string) => void>({
      args: [u32, u32, u32, text(LIMITS.reasonBytes)],
      result: nothing,
    }),
    /**
     * A component is gone: the channel to it ends now, and nobody waits for introductions from it.
     */
    peerGone: rpc<(peer: number) => void>({ args: [u32], result: nothing }),
  },
  { errors: SESSION_ERRORS },
);

/**
 * CPU: starts components and watches over them (in Genode: threads; here a component is one thread,
 * and where it runs is part of the request). The session's label is the label of what it starts;
 * its arguments say which CPUs those threads may use and how urgent they are (`scheduling.ts`), and
 * whether they must be jailed (`confinement.ts`).
 */
import { capability, signal } from '../capability/capability.ts';
import type { SignalCapability } from '../capability/signal.ts';
import { COSTS } from '../costs.ts';
import { type Capability, rpc, rpcInterface, session } from '../interface/interface.ts';
import {
  boolean,
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
} from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';
import { HostGrant } from './host-grant.ts';
import { Parent } from './parent.ts';
import { Pd } from './pd.ts';
import { Rom } from './rom.ts';

/**
 * How a component stands. `starting` and `running` are live. `crashed` has failed, or its process
 * has; `killed` was ended by somebody, or came to its end in order.
 */
export const threadState = record({
  state: oneOf(['starting', 'running', 'crashed', 'killed']),
  /** Why it crashed, for people. */
  reason: optional(text(LIMITS.reasonBytes)),
  /**
   * Whether it crashed by its own doing; false when it only shared a process with the one that did.
   */
  culprit: optional(boolean),
  /** Whether it crashed because the machine that it ran on is lost. */
  nodeLost: optional(boolean),
});
/** The state of a component, and why and by whose doing it crashed. */
export type ThreadState = ShapeType<typeof threadState>;

/**
 * The progress of a component and of the components below it. `completed` is a number that changes
 * when one of them completes a call, a packet or a request to the host, or ends. What passes
 * between them and the supervisor (timers and log lines, for instance) is not counted.
 * `levelsBelow` is 1 if the component has children, 2 if those have some, and so on.
 */
export const threadProgress = record({ completed: u53, levelsBelow: u32 });
/** The progress of a component and all below it, for somebody who waits for its end. */
export type ThreadProgress = ShapeType<typeof threadProgress>;

/** One started component. */
export const Thread = rpcInterface('Thread', {
  state: rpc<() => ThreadState>({ args: [], result: threadState }),
  /** Woken whenever the state has changed. */
  setHandler: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
  /**
   * Asks the component to run its stop handlers. Settles when they are done, or the component is
   * dead. Whoever waits for this looks at `progress` meanwhile.
   */
  stop: rpc<() => void>({ args: [], result: nothing }),
  progress: rpc<() => ThreadProgress>({ args: [], result: threadProgress }),
  /**
   * Settles when the component has gone through a turn of its own: not while it computes without a
   * pause, or waits in a synchronous call. Settles also when it is gone.
   */
  heartbeat: rpc<() => void>({ args: [], result: nothing }),
  /** Ends it. Settles when nothing of it is left. */
  kill: rpc<() => void>({ args: [], result: nothing }),
});

/**
 * Whether a process of its own is to be jailed: `no`, `default` (if the host can do it), or
 * `required` (else it is not started). Threads are never jailed.
 */
const jailDemand = oneOf(['no', 'default', 'required']);

/**
 * Whether a component with a process of its own is jailed: `no`, `default` where the host can do
 * it, `required` or not started at all.
 */
export type JailDemand = ShapeType<typeof jailDemand>;

/** Which machine of a cluster a component runs on. */
const placeDemand = record({
  /** The name of the node, or `any`. */
  node: text(LIMITS.nameBytes),
  /** The labels that the node must have. */
  labels: list(text(LIMITS.nameBytes), LIMITS.nodeLabels),
  /**
   * The public key of somebody who attaches the component from a machine of his own; then the other
   * two say nothing.
   */
  attach: optional(text(64)),
});
/** The node that a component is to run on, by name or labels, or who attaches it. */
export type PlaceDemand = ShapeType<typeof placeDemand>;

/** The name of a node that means: whichever has room. */
export const ANY_NODE = 'any';

const startOptions = record({
  pd: capability(Pd),
  parent: capability(Parent),
  /**
   * The code to start: a ROM session of the supervisor that stands for a binary
   * (`binary-service.ts`).
   */
  binary: capability(Rom),
  isolation: oneOf(['thread', 'process']),
  /**
   * The domain: a name such as a child may have. It is one among the children of the starter, so
   * nobody can name the domains of others.
   */
  domain: optional(text(LIMITS.nameBytes)),
  /** V8's heap bound in bytes. */
  heap: optional(integer(LIMITS.heapBytesMin, Number.MAX_SAFE_INTEGER)),
  /** Operations of a driver on the host that run at a time, if it has a process of its own. */
  hostDepth: optional(integer(1, LIMITS.hostDepth)),
  /** The host grants for the component; the starter must hold them itself. */
  grants: list(capability(HostGrant), LIMITS.hostGrants),
  jail: optional(jailDemand),
  place: optional(placeDemand),
});

/** The `hostDepth` of a driver with a process of its own whose start says none. */
export const HOST_DEPTH_DEFAULT = 16;

/** The component to start, its account, and its place. Sizes are in bytes. */
export interface StartOptions {
  pd: Capability<typeof Pd>;
  parent: Capability<typeof Parent>;
  binary: Capability<typeof Rom>;
  isolation: 'thread' | 'process';
  domain?: string | undefined;
  heap?: number | undefined;
  hostDepth?: number | undefined;
  grants: Capability<typeof HostGrant>[];
  /** `default` if it is missing. */
  jail?: JailDemand | undefined;
  /** The machine that the starter runs on, if it is missing. */
  place?: PlaceDemand | undefined;
}

/** The CPU session. */
export const Cpu = session(
  'CPU',
  {
    /**
     * Starts a component. Its account pays for it until it has ended, and for the resulting object
     * until nobody holds that any more. The component ends with the session, and with its account.
     */
    start: rpc<(options: StartOptions) => Capability<typeof Thread>>({
      args: [startOptions],
      result: capability(Thread),
    }),
  },
  { errors: ['DENIED', 'NO_BINARY', 'OUT_OF_RAM', 'OUT_OF_CAPS'], cost: COSTS.cpu },
);

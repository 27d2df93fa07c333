/**
 * CPU: starts components and watches over them (in Genode: threads; here a component is one thread, and where it
 * runs is part of the request). The session's label is the label of what it starts; its arguments say which CPUs those
 * threads may use and how urgent they are (`scheduling.ts`), and whether they must be jailed (`confinement.ts`).
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

/** What became of a component. */
export const threadState = record({
  state: oneOf(['starting', 'running', 'crashed', 'killed']),
  /** Why it crashed, for people. */
  reason: optional(text(LIMITS.reasonBytes)),
  /** Whether it crashed by its own doing; false when it only shared a process with the one that did. */
  culprit: optional(boolean),
});
export type ThreadState = ShapeType<typeof threadState>;

/**
 * What a component and those below it have got done, as a number that changes when they complete a call, a packet or a request
 * to the host, or end; what passes between them and core is not counted, timers and log lines for instance. `levelsBelow`: 1
 * if it has children, 2 if those have some, and so on.
 */
export const threadProgress = record({ completed: u53, levelsBelow: u32 });
export type ThreadProgress = ShapeType<typeof threadProgress>;

/** One started component. */
export const Thread = rpcInterface('Thread', {
  state: rpc<() => ThreadState>({ args: [], result: threadState }),
  /** Woken whenever the state has changed. */
  setHandler: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
  /** Lets it put its things in order; settles when it has, or is dead. Whoever waits for it looks at its progress. */
  stop: rpc<() => void>({ args: [], result: nothing }),
  progress: rpc<() => ThreadProgress>({ args: [], result: threadProgress }),
  /** Ends it. Settles when nothing of it is left. */
  kill: rpc<() => void>({ args: [], result: nothing }),
});

/**
 * Whether a process of its own is to be jailed: not at all, if the host can do it, or by all means. Threads are never jailed.
 */
const jailDemand = oneOf(['no', 'default', 'required']);

export type JailDemand = ShapeType<typeof jailDemand>;

const startOptions = record({
  pd: capability(Pd),
  parent: capability(Parent),
  /** A ROM session of core's, which stands for code: see `binary-service.ts`. */
  binary: capability(Rom),
  isolation: oneOf(['thread', 'process']),
  /** A name as a child may have it, among the children of who starts it: nobody names the domains of others. */
  domain: optional(text(LIMITS.nameBytes)),
  /** V8's heap bound in bytes. */
  heap: optional(integer(LIMITS.heapBytesMin, Number.MAX_SAFE_INTEGER)),
  /** Operations of a driver on the host that run at a time, if it has a process of its own. */
  hostDepth: optional(integer(1, LIMITS.hostDepth)),
  /** What it gets of the host: grants that the starter holds. */
  grants: list(capability(HostGrant), LIMITS.hostGrants),
  jail: optional(jailDemand),
});

/** The `hostDepth` of a driver with a process of its own that is given none. */
export const HOST_DEPTH_DEFAULT = 16;

/** What to start, on whose account, and where. */
export interface StartOptions {
  pd: Capability<typeof Pd>;
  parent: Capability<typeof Parent>;
  binary: Capability<typeof Rom>;
  isolation: 'thread' | 'process';
  domain?: string | undefined;
  heap?: number | undefined;
  hostDepth?: number | undefined;
  grants: Capability<typeof HostGrant>[];
  /** By default as if it were `default`. */
  jail?: JailDemand | undefined;
}

/** The CPU session. */
export const Cpu = session(
  'CPU',
  {
    /**
     * Starts a component; its account pays for it until it has ended, and for this object until nobody holds it any more.
     * It ends with the session, and with its account.
     */
    start: rpc<(options: StartOptions) => Capability<typeof Thread>>({
      args: [startOptions],
      result: capability(Thread),
    }),
  },
  { errors: ['DENIED', 'NO_BINARY', 'OUT_OF_RAM', 'OUT_OF_CAPS'], cost: COSTS.cpu },
);

/**
 * What a component and core say to each other over their own channel. Each end finds the other's object at index 0.
 * Components do not see these: they are the runtime's.
 */
import { capability } from '../capability/capability.ts';
import { type Capability, rpc, rpcInterface } from '../interface/interface.ts';
import {
  boolean,
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
import { HostGrant } from '../session/host-grant.ts';
import { Parent } from '../session/parent.ts';
import { Pd } from '../session/pd.ts';

/** "Introduce entry `index` of `via`'s table to `to`": a capability handed to a third component. */
const introduction = record({ number: u32, via: u32, index: u32, to: u32 });
export type IntroductionRequest = ShapeType<typeof introduction>;

/** What core asks of the owner of the capability. */
const offer = record({ giver: u32, number: u32, index: u32, to: u32 });
export type IntroductionOffer = ShapeType<typeof offer>;

/** Object 0 of core, one for each component. */
export const SupervisorCalls = rpcInterface('SupervisorCalls', {
  /** Settles when the owner has made the introduction, or cannot. */
  introduce: rpc<(request: IntroductionRequest) => void>({ args: [introduction], result: nothing }),
  /** The host grant of this number, of those that the caller was started with, to be handed on. */
  grant: rpc<(index: number, access: 'ro' | 'rw') => Capability<typeof HostGrant>>({
    args: [u32, oneOf(['ro', 'rw'])],
    result: capability(HostGrant),
  }),
  /** The caller's thread waits for `peer` in a synchronous call, its wait number `wait`. `WouldDeadlock` if in vain. */
  waiting: rpc<(peer: number, wait: number) => void>({ args: [u32, u32], result: nothing }),
  /** That wait is over. */
  waited: rpc<(wait: number) => void>({ args: [u32], result: nothing }),
  /** Whether somebody has asked for the caller to be stopped. */
  stopping: rpc<() => boolean>({ args: [], result: boolean }),
});

/**
 * What a component counts: requests are calls of its session objects and packets it took; `completed` is what it has got done,
 * see `Completed`; `heapUsed` is bytes of V8's heap, where components have heaps of their own.
 */
const statistics = record({ requests: u53, completed: u53, heapUsed: optional(u53) });
export type ComponentStatistics = ShapeType<typeof statistics>;

const startRequest = record({ parent: capability(Parent), pd: capability(Pd) });

/** What a component lives on: its parent, and its account. */
export interface StartRequest {
  parent: Capability<typeof Parent>;
  pd: Capability<typeof Pd>;
}

/** Object 0 of a component. */
export const ComponentControl = rpcInterface(
  'ComponentControl',
  {
    /**
     * Hands over what the component lives on, and runs its main function. Settles when that was called;
     * rejects with why a session of its environment was refused.
     */
    start: rpc<(request: StartRequest) => void>({ args: [startRequest], result: nothing }),
    /** Runs the component's stop handlers; settles when they are done. */
    stop: rpc<() => void>({ args: [], result: nothing }),
    statistics: rpc<() => ComponentStatistics>({ args: [], result: statistics }),
    /** Whether the component's thread still waits in its wait number `wait`; answered while it does. */
    stillWaiting: rpc<(wait: number) => boolean>({ args: [u32], result: boolean }),
    offer: rpc<(offer: IntroductionOffer) => void>({ args: [offer], result: nothing }),
    introductionFailed: rpc<(giver: number, number: number, owner: number, reason: string) => void>({
      args: [u32, u32, u32, text(LIMITS.reasonBytes)],
      result: nothing,
    }),
    /** A component is gone: channels to it end now, and nobody waits for introductions from it. */
    peerGone: rpc<(peer: number) => void>({ args: [u32], result: nothing }),
  },
  { errors: SESSION_ERRORS },
);

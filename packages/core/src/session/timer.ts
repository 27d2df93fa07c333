/**
 * Timer: one programmable wake-up for each session, and the time since the session was opened
 * (reference: Genode's Timer session). A client that needs several timeouts puts them over one
 * session; `env.timer` does that. The wall clock is an operation here, although Genode has a
 * service for it (Rtc): a component that needs the date needs a timer too.
 */
import { signal } from '../capability/capability.ts';
import type { SignalCapability } from '../capability/signal.ts';
import { COSTS } from '../costs.ts';
import { rpc, session } from '../interface/interface.ts';
import { nothing, u53 } from '../interface/shapes.ts';

/** The Timer session; times are in microseconds. */
export const Timer = session(
  'Timer',
  {
    /** Wakes the handler once; replaces an earlier request. */
    triggerOnce: rpc<(us: number) => void>({ args: [u53], result: nothing }),
    /** Wakes the handler again and again; 0 ends it. */
    triggerPeriodic: rpc<(us: number) => void>({ args: [u53], result: nothing }),
    setHandler: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
    elapsedUs: rpc<() => number>({ args: [], result: u53 }),
    /** The wall clock: milliseconds since the start of 1970, UTC. */
    currentTimeMs: rpc<() => number>({ args: [], result: u53 }),
  },
  { cost: COSTS.timer },
);

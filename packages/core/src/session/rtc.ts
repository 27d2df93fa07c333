/** RTC: the wall clock (reference: Genode's Rtc session). */
import { rpc, session } from '../interface/interface.ts';
import { u53 } from '../interface/shapes.ts';

/** The RTC session: milliseconds since the start of 1970, UTC. */
export const Rtc = session('Rtc', {
  currentTimeMs: rpc<() => number>({ args: [], result: u53 }),
});

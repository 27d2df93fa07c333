/**
 * How hostile components misbehave: each incarnation has one vice as a server and one as a client, and dies after a while, so
 * that the next one has others. Pure functions of the seed, as all of a plan.
 */
import { randomFor } from './random.mjs';

/** What a hostile server does to those who open a session to it. */
const SERVER_VICES = [
  'provides-nothing',
  'open-never',
  'open-keeps-and-denies',
  'open-throws',
  'call-never',
  'close-never',
  'close-throws',
  'close-keeps',
  'dies-in-open',
  'dies-in-close',
];

/** What a hostile client does to its parent, to core, and to honest servers. */
const CLIENT_VICES = [
  'opens-without-end',
  'opens-timers',
  'opens-accounts',
  'upgrades-beyond-its-means',
  'calls-in-bursts',
  'takes-all-memory',
  'hoards-capabilities',
  'forges-lines',
];

/** What incarnation `who` does, and for how long. */
export function vicesOf(seed, who) {
  const random = randomFor(seed, who, 'vices');
  return {
    server: random.pick(SERVER_VICES),
    client: random.pick(CLIENT_VICES),
    /** Whether it also refuses to end when it is told to. */
    stops: random.chance(0.7),
    lifeMs: random.between(500, 5000),
  };
}

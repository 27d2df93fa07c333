/**
 * How hostile components misbehave: each incarnation has one vice as a server and one as a client,
 * and dies after a while, so that the next one has others. Pure functions of the seed, as all of a
 * plan.
 */
import { randomFor } from './random.mjs';

/** Vices of a hostile server, practised on those who open a session to it. */
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

/** Vices of a hostile client, practised on its parent, the supervisor and honest servers. */
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

/** The vices of incarnation `who`, and how long it practises them. */
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

/** Sessions: opened, upgraded, used and closed again. */
import { Peer, Trap } from '../sessions.mjs';

/** A session of its own, so that nobody closes it meanwhile. */
export async function upgrade(actor, { peer, count }) {
  const { env, tally } = actor;
  const { ok, value: session } = await actor.connect(Peer, { label: peer });
  if (!ok) return;
  tally.count('sessions');
  await tally.attempt('upgrade', peer, () => env.upgrade(session, { ram: 4096 * count, caps: 1 }));
  await tally.attempt('later', peer, () => session.later(count));
  await tally.attempt('close Peer', peer, () => env.close(session));
}

export function close(actor, { peer }) {
  return actor.close(peer);
}

/** Longer than init waits for whoever does not answer. */
const TRAP_TIMEOUT_MS = 15_000;
/** How a hostile server may answer; `InternalError` is what its undeclared errors become. */
const TRAP_ERRORS = [
  'TimedOut',
  'INSUFFICIENT_RAM',
  'INSUFFICIENT_CAPS',
  'OUT_OF_RAM',
  'OUT_OF_CAPS',
  'InternalError',
];

/** Meets a hostile server: whatever it does, we are answered, and get back what we gave. */
export async function trap(actor, { trap: name }) {
  if (name === undefined) return;
  const { env, tally } = actor;
  const { ok, value: session } = await tally.attempt(
    'open Trap',
    name,
    () => env.connect(Trap, { label: name, timeoutMs: TRAP_TIMEOUT_MS }),
    TRAP_ERRORS,
  );
  if (!ok) return;
  tally.count('traps');
  await tally.attempt('touch', name, () => session.touch(), TRAP_ERRORS);
  await tally.attempt('close Trap', name, () => env.close(session));
}

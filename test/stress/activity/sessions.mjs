/** Sessions: opened, upgraded, used and closed again. */
import { Peer } from '../sessions.mjs';

/** A session of its own, so that nobody closes it meanwhile. */
export async function upgrade(actor, { peer, count }) {
  const { env, tally } = actor;
  const { ok, value: session } = await tally.attempt('open Peer', peer, () =>
    env.connect(Peer, { label: peer }),
  );
  if (!ok) return;
  tally.count('sessions');
  await tally.attempt('upgrade', peer, () => env.upgrade(session, { ram: 4096 * count, caps: 1 }));
  await tally.attempt('later', peer, () => session.later(count));
  await tally.attempt('close Peer', peer, () => env.close(session));
}

export function close(actor, { peer }) {
  return actor.close(peer);
}

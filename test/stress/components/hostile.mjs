/**
 * A hostile component: misbehaves in every way that `env` allows, dies, and is started again with
 * other vices.
 */
import { component, Timer } from '@ginit/core';
import { Pd } from '@ginit/core/system';
import { die } from '../activity/dying.mjs';
import { actWithVice, serveWithVice } from '../activity/vices.mjs';
import { randomFor } from '../plan/random.mjs';
import { vicesOf } from '../plan/vices.mjs';
import { Control, Director, Peer, Trap } from '../sessions.mjs';

export default component({ provides: [Trap], mayRequire: [Director, Pd, Peer, Timer] }, async (env) => {
  const name = env.config.node.value('name');
  const seed = Number(env.config.node.value('seed'));
  const peers = env.config.node.childrenOf('peer').map((peer) => peer.value('name'));
  let begin;
  const begun = new Promise((resolve) => (begin = resolve));
  const end = () => env.timer.after(0, () => die('exit'));
  const control = { begin: () => begin(), rest: () => void end(), clear: () => {}, state: () => NOTHING };
  // Its Timer session is open before any vice begins: one that has taken all of its memory could
  // not open it, and never die.
  await env.timer.elapsedUs();
  const director = await env.connect(Director);
  const incarnation = await director.join(name, env.capability(Control, control));
  const who = `${name}#${incarnation}`;
  const vices = vicesOf(seed, who);
  await begun;
  env.timer.after(vices.lifeMs, () => die('exit'));
  if (!vices.stops) env.onStop(() => new Promise(() => {}));
  serveWithVice(env, vices.server);
  await actWithVice(env, vices.client, randomFor(seed, who, 'peer').pick(peers)).catch(() => {});
});

const NOTHING = {
  made: 0,
  settled: 0,
  failures: 0,
  ramQuota: 0,
  ramUsed: 0,
  capQuota: 0,
  capUsed: 0,
};

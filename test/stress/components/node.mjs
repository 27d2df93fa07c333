/** A node: serves its peers, acts by its plan, and perhaps dies of it. */
import { component } from '@ginit/core';
import { Actor } from '../activity/actor.mjs';
import { die } from '../activity/dying.mjs';
import { serveStream } from '../activity/packets.mjs';
import { peerObject } from '../activity/server.mjs';
import { Member } from '../activity/member.mjs';
import { lifeOf } from '../plan/steps.mjs';
import { Director, Peer, Sink, Trap } from '../sessions.mjs';

export default component(
  { provides: [Peer, Sink], mayRequire: [Peer, Sink, Trap, Director] },
  async (env) => {
    const member = await Member.join(env);
    const { tally, who, seed } = member;
    const peers = env.config.node.childrenOf('peer').map((peer) => peer.value('name'));
    const traps = env.config.node.childrenOf('trap').map((trap) => trap.value('name'));
    const actor = new Actor(env, tally, { seed, who, peers, traps });
    env.provide(Peer, () => peerObject(actor));
    env.provide(Sink, ({ streams }) => {
      streams.tx.then(serveStream, () => {});
      return {};
    });
    await member.follow({ rest: () => actor.rest(), clear: () => actor.clear() });
    const life =
      env.config.node.value('mortal') === 'yes'
        ? lifeOf(seed, who, env.config.node.value('may_kill') === 'yes')
        : undefined;
    await actor.act(life?.steps);
    if (life && !actor.resting) die(life.manner);
  },
);

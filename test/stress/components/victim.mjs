/**
 * A victim of a nursery: uses the nodes as they use each other, until it is ended or ends itself.
 */
import { component } from '@ginit/core';
import { Actor } from '../activity/actor.mjs';
import { die } from '../activity/dying.mjs';
import { Tally } from '../activity/tally.mjs';
import { Peer, Sink } from '../sessions.mjs';

export default component({ mayRequire: [Peer, Sink] }, async (env) => {
  const { config } = env;
  const who = config.node.value('name');
  const seed = Number(config.node.value('seed'));
  const tally = new Tally(env, who, seed);
  tally.watch();
  const peers = config.node.childrenOf('peer').map((peer) => peer.value('name'));
  await new Actor(env, tally, { seed, who, peers }).act(Number(config.node.value('steps')));
  await tally.report();
  const manner = config.node.value('manner');
  if (manner === 'done') env.exit(0);
  else if (manner !== 'killed') die(manner);
});

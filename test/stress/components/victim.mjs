/** A victim of a nursery: uses the nodes as they use each other, until it is ended or ends itself. */
import { component } from '@ginit/core';
import { Actor } from '../activity/actor.mjs';
import { die } from '../activity/dying.mjs';
import { Tally } from '../activity/tally.mjs';
import { Peer, Sink } from '../sessions.mjs';

export default component({ mayRequire: [Peer, Sink] }, async (env) => {
  const { config } = env;
  const who = config.string('name');
  const seed = config.integer('seed');
  const tally = new Tally(env, who, seed);
  tally.watch();
  const peers = config.node.childrenOf('peer').map((peer) => peer.string('name'));
  await new Actor(env, tally, { seed, who, peers }).act(config.integer('steps'));
  await tally.report();
  const manner = config.string('manner');
  if (manner === 'done') env.exit(0);
  else if (manner !== 'killed') die(manner);
});

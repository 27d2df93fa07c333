/** Snapshots of a Block session, kept on another. */
import { component, Timer } from '@ginit/core';
import { Block } from '@ginit/core/block';
import { Report } from '@ginit/core/report';
import { closeAtStop } from '../lib/close-at-stop.ts';
import { SNAPSHOT_BLOCK_CONFIG } from './schema.ts';
import { SnapshotBlock } from './snapshot-block.ts';

const manifest = {
  provides: [Block],
  requires: [Block, Timer],
  mayRequire: [Report],
  config: SNAPSHOT_BLOCK_CONFIG,
};

export default component(manifest, async (env) => {
  const snapshots = await SnapshotBlock.open(env);
  env.onStop(() => closeAtStop(env, () => snapshots.close()));
  env.provide(Block, (session) => snapshots.serve(session));
});

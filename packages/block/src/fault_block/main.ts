/** Faults for the requests to a Block session. */
import { component, Timer } from '@ginit/core';
import { Block } from '@ginit/core/block';
import { closeAtStop } from '../lib/close-at-stop.ts';
import { FaultBlock } from './fault-block.ts';
import { FAULT_BLOCK_CONFIG } from './schema.ts';

const manifest = { provides: [Block], requires: [Block, Timer], config: FAULT_BLOCK_CONFIG };

export default component(manifest, async (env) => {
  const faults = await FaultBlock.open(env);
  env.onStop(() => closeAtStop(env, () => faults.close()));
  env.provide(Block, (session) => faults.serve(session));
});

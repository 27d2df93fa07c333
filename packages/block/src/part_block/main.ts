/** The partitions of a disk, one session each. */
import { component } from '@ginit/core';
import { Block } from '@ginit/core/block';
import { PART_BLOCK_CONFIG, Partitions } from './partitions.ts';

export default component({ provides: [Block], requires: [Block], config: PART_BLOCK_CONFIG }, async (env) => {
  const partitions = await Partitions.read(env);
  env.provide(Block, (session) => partitions.open(session));
});

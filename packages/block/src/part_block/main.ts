/** The partitions of a disk, one session each. */
import { component } from '@ginit/core';
import { Block } from '@ginit/core/block';
import { Report } from '@ginit/core/report';
import { Partitions } from './partitions.ts';
import { PART_BLOCK_CONFIG } from './schema.ts';

const manifest = { provides: [Block], requires: [Block], mayRequire: [Report], config: PART_BLOCK_CONFIG };

export default component(manifest, async (env) => {
  const partitions = await Partitions.read(env);
  env.provide(Block, (session) => partitions.open(session));
});

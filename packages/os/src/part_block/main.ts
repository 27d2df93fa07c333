/** The partitions of a disk, one session each. */
import { Block, component } from '@ginit/core';
import { partBlockConfig, Partitions } from './partitions.ts';

export default component({ provides: [Block], requires: [Block], config: partBlockConfig }, async (env) => {
  const partitions = await Partitions.read(env);
  env.provide(Block, (session) => partitions.open(session));
});

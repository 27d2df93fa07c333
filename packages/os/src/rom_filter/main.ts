/** A ROM module that is made of the contents of others. */
import { component, Rom } from '@ginit/core';
import { FilteredRom } from './filtered-rom.ts';
import { ROM_FILTER_CONFIG } from './schema.ts';

const manifest = { provides: [Rom], mayRequire: [Rom], config: ROM_FILTER_CONFIG };

export default component(manifest, async (env) => {
  const rom = new FilteredRom(env);
  env.config.onUpdate(() => rom.follow());
  await rom.follow();
  env.provide(Rom, () => rom.open());
});

/** Does what its config says: for tests of systems. */
import { component, Log, Timer } from '@ginit/core';
import { Dummy } from './dummy.ts';
import { DUMMY_CONFIG } from './commands.ts';

const manifest = { provides: [Log], mayRequire: [Timer], config: DUMMY_CONFIG };

export default component(manifest, async (env) => {
  const dummy = new Dummy(env);
  env.config.onUpdate(() => dummy.follow());
  await dummy.follow();
});

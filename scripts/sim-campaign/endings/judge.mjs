/** Ends the system when all honest clients have done their work. */
import { component } from '@ginit/core';
import { Judge } from './services.mjs';

export default component({ provides: [Judge] }, (env) => {
  const names = env.config.node.value('names').split(' ');
  const missing = new Set(names);
  env.provide(Judge, () => ({
    done: (name) => {
      missing.delete(name);
      if (missing.size === 0) env.exit(0);
    },
  }));
});

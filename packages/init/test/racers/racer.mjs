import { component } from '@ginit/core';

/**
 * Exits at once with the code that its config says: who of several is the first is up to the order
 * of events.
 */
export default component({}, (env) => {
  env.log('here');
  env.exit(Number(env.config.node.value('code')));
});

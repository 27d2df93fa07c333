// A whole client: greets the world and ends.
import { component } from '@ginit/core';
import { Greeter } from './greeter.mjs';

export default component({ requires: [Greeter] }, async (env) => {
  const greeter = await env.connect(Greeter);
  env.log(await greeter.greet('world'));
  env.exit(0);
});

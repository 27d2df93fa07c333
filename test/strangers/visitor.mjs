import { component, rpc, session, text } from '@ginit/core';

export const Greeter = session('Greeter', {
  greet: rpc({ args: [text(64)], result: text() }),
});

export default component({ requires: [Greeter] }, async (env) => {
  const greeter = await env.connect(Greeter);
  await env.timer.sleep(60_000);
  env.log(await greeter.greet('world'));
  env.exit(0);
});

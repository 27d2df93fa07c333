// A whole server: greets whoever opens a session.
import { component, rpc, session, text } from '@ginit/core';

export const Greeter = session('Greeter', {
  greet: rpc({ args: [text(64)], result: text() }),
});

export default component({ provides: [Greeter] }, (env) => {
  const greeting = env.config.string('greeting', 'Hello');
  env.provide(Greeter, ({ label }) => ({
    greet: (name) => `${greeting}, ${name} (from ${label.prefix})`,
  }));
});

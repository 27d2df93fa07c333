// A whole server: greets whoever opens a session.
import { attribute, component, element, rpc, session, text } from '@ginit/core';

export const Greeter = session('Greeter', {
  greet: rpc({ args: [text(64)], result: text() }),
});

const CONFIG = element('config', 'Greets whoever opens a session', {
  attributes: { greeting: attribute.text('What to say', { fallback: 'Hello' }) },
});

export default component({ provides: [Greeter], config: CONFIG }, (env) => {
  const { greeting } = env.config.read(CONFIG);
  env.provide(Greeter, ({ label }) => ({
    greet: (name) => `${greeting}, ${name} (from ${label.prefix})`,
  }));
});

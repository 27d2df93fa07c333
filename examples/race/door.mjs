// A door that opens after a while, and tells whoever has asked to be told.
import { attribute, component, element, oneOf, rpc, session, signal } from '@ginit/core';

export const Door = session('Door', {
  state: rpc({ args: [], result: oneOf(['closed', 'open']) }),
  onChange: rpc({ args: [signal] }),
});

const CONFIG = element('config', 'A door that opens after a while', {
  attributes: { after_ms: attribute.integer('After how long', { min: 0, fallback: 20 }) },
});

export default component({ provides: [Door], config: CONFIG }, (env) => {
  let state = 'closed';
  const waiting = [];
  env.provide(Door, () => ({
    state: () => state,
    onChange: (handler) => void waiting.push(handler),
  }));
  env.timer.after(env.config.read(CONFIG).after_ms, () => {
    state = 'open';
    for (const handler of waiting) handler.submit();
  });
});

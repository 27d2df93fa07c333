// A door that opens after a while, and tells whoever has asked to be told.
import { component, oneOf, rpc, session, signal } from '@ginit/core';

export const Door = session('Door', {
  state: rpc({ args: [], result: oneOf(['closed', 'open']) }),
  onChange: rpc({ args: [signal] }),
});

export default component({ provides: [Door] }, (env) => {
  let state = 'closed';
  const waiting = [];
  env.provide(Door, () => ({
    state: () => state,
    onChange: (handler) => void waiting.push(handler),
  }));
  env.timer.after(env.config.integer('after_ms', 20), () => {
    state = 'open';
    for (const handler of waiting) handler.submit();
  });
});

/** A server whose sessions give back what they are given. */
import { component, rpc, session, text } from '@ginit/core';

export const Echo = session('Echo', { say: rpc({ args: [text(64)], result: text(64) }) });

export default component({ provides: [Echo] }, (env) => {
  env.provide(Echo, () => ({ say: (words) => words }));
});

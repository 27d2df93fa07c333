/** Answers calls, on one node. */
import { component } from '@ginit/core';
import { SmallEcho } from './echo-session.mjs';

export default component({ provides: [SmallEcho] }, (env) => {
  env.provide(SmallEcho, () => ({ echo: (load) => load }));
});

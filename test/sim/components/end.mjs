/** Ends the system after two seconds. */
import { component, Timer } from '@ginit/core';

export default component({ requires: [Timer] }, async (env) => {
  await env.timer.sleep(2000);
  env.exit(0);
});

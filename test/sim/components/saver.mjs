/** Holds memory that it can spare, and frees it when its parent asks for some. */
import { component, Timer } from '@ginit/core';

const SPARE_BYTES = 512 * 1024;

export default component({ requires: [Timer] }, async (env) => {
  let spare = await env.ram.allocate(SPARE_BYTES);
  env.onYield(async ({ ram, caps }) => {
    await env.log(`asked for ${ram} bytes and ${caps} caps`);
    const given = spare;
    spare = undefined;
    if (given) await env.ram.free(given);
  });
  await env.log('holds memory');
});

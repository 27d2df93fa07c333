// Waits for the door, without the race: first asks to be told, then looks, and looks again whenever
// it is told.
import { component } from '@ginit/core';
import { Door } from './door.mjs';

export default component({ requires: [Door] }, async (env) => {
  const door = await env.connect(Door);
  let inside = false;
  const look = async () => {
    if (inside || (await door.state()) !== 'open') return;
    if (inside) return;
    inside = true;
    await env.log('in');
    env.exit(0);
  };
  await door.onChange(env.signal(look));
  await look();
});

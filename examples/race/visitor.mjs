// Waits for the door, with a race: it may open between the question and the request to be told.
import { component } from '@ginit/core';
import { Door } from './door.mjs';

export default component({ requires: [Door] }, async (env) => {
  const door = await env.connect(Door);
  const enter = async () => {
    await env.log('in');
    env.exit(0);
  };
  if ((await door.state()) === 'open') return enter();
  await env.log('the door is closed');
  await door.onChange(env.signal(enter));
});

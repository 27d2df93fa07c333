/** Runs through hooks of its own in a loop, and measures one. An ordinary component. */
import { measuringComponent } from '../harness/client.mjs';
import { microsecondsEach } from '../harness/measure.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { tracedFirst } from './traced-first.mjs';

const NANOSECONDS = 1000;

export default measuringComponent({}, async (env) => {
  const settings = fromConfig(env.config);
  const own = (env.config.node.value('traced') ?? '') === '' ? undefined : await tracedFirst(env);
  const loop = async (count) => {
    for (let index = 0; index < count; index++) env.checkpoint('bench', index);
  };
  const us = await microsecondsEach(loop, settings);
  if ((env.config.node.value('policy') ?? '') !== 'null') own?.expectEvents();
  return { hookNs: us * NANOSECONDS };
});

/** A component that says when it runs, and when its config has changed. */
import { component } from '@ginit/core';
import { attribute, element } from '@ginit/core/config';

const CONFIG = element('config', 'Says its round', {
  attributes: { round: attribute.integer('The round of the measurement', { min: 0, fallback: 0 }) },
});

export default component({ config: CONFIG }, (env) => {
  env.config.onUpdate(() => env.log(`round ${env.config.read(CONFIG).round}`));
  return env.log('ready');
});

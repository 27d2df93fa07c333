/** Runs children one after another; the next one is started when the one before has exited. */
import { component, Timer } from '@ginit/core';
import { Cpu, Pd } from '@ginit/core/system';
import { SEQUENCE_SCHEMA } from '../model/index.ts';
import { Sequence } from './sequence.ts';

export default component({ requires: [Pd, Cpu, Timer], config: SEQUENCE_SCHEMA }, (env) => {
  const sequence = new Sequence(env);
  env.onStop(() => sequence.stop());
  env.config.onUpdate((node) => sequence.follow(node));
  sequence.follow(env.config.node);
});

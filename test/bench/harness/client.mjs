/**
 * The common part of the measuring components: figures go to the log, and an error ends the system.
 */
import { component } from '@ginit/core';

/** A component that runs `measure(env)` once, logs its figures and ends the system. */
export function measuringComponent(manifest, measure) {
  return component(manifest, async (env) => {
    try {
      await env.log(JSON.stringify(await measure(env)));
      env.exit(0);
    } catch (error) {
      await env.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
      env.exit(1);
    }
  });
}

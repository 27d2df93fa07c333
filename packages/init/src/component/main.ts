/** The init component: a sandbox over its config. */
import { component, Cpu, Pd, Timer } from '@ginit/core';
import { formatWarning, INIT_SCHEMA, readInitConfig } from '../model/index.ts';
import { Sandbox } from '../sandbox/sandbox.ts';

export default component({ requires: [Pd, Cpu, Timer], config: INIT_SCHEMA }, async (env) => {
  const { config, errors, warnings } = readInitConfig(env.config.node);
  for (const warning of warnings) await env.warning(formatWarning(warning));
  const [first] = errors;
  for (const error of errors.slice(1)) await env.error(error.message);
  if (first) throw first;

  const sandbox = new Sandbox(env, config, (code) => env.exit(code));
  env.onStop(() => sandbox.stop());
  await sandbox.start();
});

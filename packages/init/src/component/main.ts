/** The init component: a sandbox over its config, whose every version is applied to it. */
import { component, Timer } from '@ginit/core';
import { type ConfigNode, sharing } from '@ginit/core/config';
import { Cpu, Pd } from '@ginit/core/system';
import { formatWarning, INIT_SCHEMA, readInitConfig } from '../model/index.ts';
import { sameNode } from '../plan/index.ts';
import { Sandbox } from '../sandbox/sandbox.ts';

export default component({ requires: [Pd, Cpu, Timer], config: INIT_SCHEMA }, (env) => {
  const sandbox = new Sandbox(env, (code) => env.exit(code));
  env.onStop(() => sandbox.stop());

  let latest: ConfigNode | undefined;
  let broken: ConfigNode | undefined;

  /** A version with errors changes nothing: what runs goes on running. */
  const apply = (version: ConfigNode): void => {
    const node = sharing(latest, version);
    latest = node;
    // Several signals of one version may come.
    if (broken && sameNode(broken, node)) return;
    const { config, errors, warnings } = readInitConfig(node);
    broken = errors.length > 0 ? node : undefined;
    for (const warning of warnings) void env.warning(formatWarning(warning));
    for (const error of errors) void env.error(error.message);
    if (broken) void env.error('this config is not applied');
    else void sandbox.apply(config);
  };
  env.config.onUpdate(apply);
  apply(env.config.node);
});

/** Files of the host as ROM modules, which follow every change. */
import { component, Rom, Timer } from '@ginit/core';
import { HOST_ROM_CONFIG } from './schema.ts';
import { HostRoms } from './host-roms.ts';

const manifest = {
  provides: [Rom],
  requires: [Timer],
  mayHost: ['file', 'directory'],
  config: HOST_ROM_CONFIG,
} as const;

export default component(manifest, async (env) => {
  const roms = await HostRoms.start(env);
  env.provide(Rom, ({ label }) => roms.open(label));
});

/** A virtual machine monitor: an unmodified guest system as a component. */
import { component, Rom, Timer } from '@ginit/core';
import { Machine as MachineSession } from '@ginit/core/machine';
import { Block } from '@ginit/core/block';
import { Framebuffer } from '@ginit/core/framebuffer';
import { FileSystem } from '@ginit/core/file_system';
import { Report } from '@ginit/core/report';
import { Input } from '@ginit/core/input';
import { Terminal } from '@ginit/core/terminal';
import { Machine } from './machine/machine.ts';
import { VMM_CONFIG } from './machine/schema.ts';

const manifest = {
  requires: [Timer],
  mayRequire: [Block, Terminal, Rom, FileSystem, MachineSession, Framebuffer, Input, Report],
  mayHost: ['program', 'device'],
  config: VMM_CONFIG,
  loop: 'live',
} as const;

export default component(manifest, async (env) => {
  const config = env.config.read(VMM_CONFIG);
  const machine = await Machine.start(env, config);
  env.onStop(async () => {
    const isSaved = config.on_stop === 'save' && (await machine.save());
    if (config.on_stop !== 'kill' && !isSaved) await machine.powerOff(config.grace * 1000);
    await machine.stop();
  });
});

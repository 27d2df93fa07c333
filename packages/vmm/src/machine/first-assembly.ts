/** A machine as it begins: put together from its config, and with its state if it has one. */
import { crc32 } from 'node:zlib';
import type { Env } from '@ginit/core';
import { KernelError } from '../linux/kernel-file.ts';
import { StateError } from '../state/state-stream.ts';
import type { Assembly, AssemblyEvents } from './assembly.ts';
import { checkDisks, type OpenDisk } from './disks.ts';
import { GuestFiles } from './guest-files.ts';
import { freeForGuest } from './memory.ts';
import { type Drives, openDrives } from './media.ts';
import { Saving } from './saving.ts';
import type { VmmConfig } from './schema.ts';
import { openShares, sharesMostOn } from './shared-folders.ts';
import { readStartFiles } from './start-files.ts';
import { StatePlace } from './state-place.ts';
import { chooseEngine } from './choose-engine.ts';
import { assembleQemu } from './qemu-machine.ts';
import { assembleV86 } from './v86-machine.ts';

/** The machine, and what belongs to it. */
export interface FirstAssembly {
  readonly assembly: Assembly;
  /** Why it has this engine. */
  readonly why: string;
  readonly drives: Drives;
  readonly saving: Saving | undefined;
  /** The file of the state that the machine goes on from. */
  readonly restored: string | undefined;
}

/** Puts it together. Throws a `ConfigError`, or `TooLittleMemory`. */
export async function assembleFirst(
  env: Pick<Env, 'connect' | 'close' | 'host' | 'quota' | 'ram' | 'timer'>,
  config: VmmConfig,
  disks: readonly OpenDisk[],
  events: AssemblyEvents,
): Promise<FirstAssembly> {
  const { cpu, display, kernel, multiboot, shared, state, serial } = config.$children;
  if (state && shared[0])
    throw shared[0].$node.errorAt('a machine with shared folders cannot be saved: it has no <state>');
  const guestFiles = new GuestFiles(env);
  const files = await readStartFiles(guestFiles, config);
  const drives = await openDrives(env, guestFiles, config);
  if (drives.all.length === 0) await guestFiles.close();
  const place = state && (await StatePlace.connect(env, state));
  const saving =
    place &&
    new Saving({
      env,
      place,
      disks,
      drives,
      hasSerial: serial !== undefined,
      screen: display && `${display.width} x ${display.height}`,
      firmware: files.firmware && crc32(files.firmware.bios).toString(16),
    });
  try {
    const processors = cpu?.count ?? 1;
    const needs = { kernel: files.kernel, processors, freeBytes: await freeForGuest(env) };
    const choice = chooseEngine(config, needs, env.host.grants);
    const { why } = choice;
    checkDisks(
      disks.map((one) => one.config),
      choice.name,
    );
    const virtioDisks = disks.filter((one) => one.config.model === 'virtio').length;
    const shares = await openShares(env, shared, sharesMostOn(choice.name, virtioDisks));
    const parts = { env, config, disks, drives, shares, ...files, events };
    const assemble = (): Promise<Assembly> =>
      choice.name === 'v86' ? assembleV86(parts) : assembleQemu({ ...parts, program: choice.program });
    const begins =
      state?.restore === 'yes' || (state?.restore === 'auto' && (await place?.exists()) === true);
    if (!begins || !saving) return { assembly: await assemble(), why, drives, saving, restored: undefined };
    await saving.restoreMedia();
    const assembly = await assemble();
    await saving.restore(assembly);
    // The guest writes to its disks from now on, so the state is of no use any more.
    if (state.restore === 'auto') await place.remove();
    return { assembly, why, drives, saving, restored: state.file };
  } catch (error) {
    if (error instanceof StateError && state) throw state.$node.errorAt(error.message, 'file');
    const started = kernel ?? multiboot;
    if (!(error instanceof KernelError && started)) throw error;
    throw started.$node.errorAt(`the kernel cannot be started: ${error.message}`);
  }
}

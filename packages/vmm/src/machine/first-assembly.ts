/** A machine as it begins: put together from its config, and with its state if it has one. */
import { crc32 } from 'node:zlib';
import type { Env } from '@ginit/core';
import { PCI_DEVICES_MAX } from '../engine/v86/v86-engine.ts';
import { KernelError } from '../linux/kernel-file.ts';
import { StateError } from '../state/state-stream.ts';
import type { Assembly, AssemblyEvents } from './assembly.ts';
import type { OpenDisk } from './disks.ts';
import { GuestFiles } from './guest-files.ts';
import { type Drives, openDrives } from './media.ts';
import { Saving } from './saving.ts';
import type { VmmConfig } from './schema.ts';
import { openShares } from './shared-folders.ts';
import { readStartFiles } from './start-files.ts';
import { StatePlace } from './state-place.ts';
import { assembleV86 } from './v86-machine.ts';

/** The machine, and what belongs to it. */
export interface FirstAssembly {
  readonly assembly: Assembly;
  readonly drives: Drives;
  readonly saving: Saving | undefined;
  /** The file of the state that the machine goes on from. */
  readonly restored: string | undefined;
}

/** Puts it together. Throws a `ConfigError`, or `TooLittleMemory`. */
export async function assembleFirst(
  env: Pick<Env, 'connect' | 'close' | 'quota' | 'ram' | 'timer'>,
  config: VmmConfig,
  disks: readonly OpenDisk[],
  events: AssemblyEvents,
): Promise<FirstAssembly> {
  const { display, kernel, multiboot, shared, state, serial } = config.$children;
  if (state && shared[0])
    throw shared[0].$node.errorAt('a machine with shared folders cannot be saved: it has no <state>');
  const virtioDisks = disks.filter((disk) => disk.config.model === 'virtio').length;
  const shares = await openShares(env, shared, PCI_DEVICES_MAX - virtioDisks);
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
  const assemble = (): Promise<Assembly> =>
    assembleV86({ env, config, disks, drives, shares, ...files, events });
  try {
    const begins =
      state?.restore === 'yes' || (state?.restore === 'auto' && (await place?.exists()) === true);
    if (!begins || !saving) return { assembly: await assemble(), drives, saving, restored: undefined };
    await saving.restoreMedia();
    const assembly = await assemble();
    await saving.restore(assembly);
    // The guest writes to its disks from now on, so the state is of no use any more.
    if (state.restore === 'auto') await place.remove();
    return { assembly, drives, saving, restored: state.file };
  } catch (error) {
    if (error instanceof StateError && state) throw state.$node.errorAt(error.message, 'file');
    const started = kernel ?? multiboot;
    if (!(error instanceof KernelError && started)) throw error;
    throw started.$node.errorAt(`the kernel cannot be started: ${error.message}`);
  }
}

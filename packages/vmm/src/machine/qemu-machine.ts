/** The machine of the engine QEMU: kernel and initrd are files for it, and its disks are exports. */
import { type Env, hasCode, RpcError } from '@ginit/core';
import { GuestDevice } from '../engine/qemu/guest-device.ts';
import { QemuError } from '../engine/qemu/qemu-process.ts';
import { type QemuDiskParts, startQemu } from '../engine/qemu/qemu-engine.ts';
import { chooseAccelerator } from '../engine/qemu/speed-probe.ts';
import { type Assembly, type AssemblyParts, commandLineOf } from './assembly.ts';
import { QEMU_INSTALL } from './choose-engine.ts';
import type { OpenDisk } from './disks.ts';
import { inMebibytes, reserveGuestMemory } from './memory.ts';

/** What else it takes. */
export interface QemuAssemblyParts extends AssemblyParts {
  readonly env: AssemblyParts['env'] & Pick<Env, 'host'>;
  /** The path of the granted program. */
  readonly program: string;
  /** A request of a disk is held. */
  readonly held: (label: string, code: string) => void;
}

/** Puts one together. Throws `TooLittleMemory`, or a `ConfigError` if QEMU does not come up. */
export async function assembleQemu(parts: QemuAssemblyParts): Promise<Assembly> {
  const { env, config, program, kernel, initrd, events } = parts;
  const processors = config.$children.cpu?.count ?? 1;
  const keptBytes = kernel.byteLength + (initrd?.byteLength ?? 0);
  const memoryBytes = await reserveGuestMemory(env, 'qemu', keptBytes);
  try {
    const { accelerator, why } = await chooseAccelerator(env, program);
    const setup = {
      memoryBytes,
      processors,
      accelerator,
      hasSerial: config.$children.serial !== undefined,
      commandLine: commandLineOf(config),
    };
    const disks = parts.disks.map((disk, index) => diskOf(disk, `disk${index}`, parts));
    const engine = await startQemu({ env, program, setup, kernel, initrd, disks }, events);
    const processorsText = `${processors} processor${processors === 1 ? '' : 's'}`;
    return {
      engine,
      about: `${accelerator} (${why}), ${processorsText}, ${inMebibytes(memoryBytes)} MiB`,
      // QEMU's own BIOS does that, whenever the machine begins.
      boot: () => {},
      reset: () => {},
    };
  } catch (error) {
    throw config.$node.errorAt(problemOf(error, program), 'engine');
  }
}

function problemOf(error: unknown, program: string): string {
  if (hasCode(error, 'NotFound')) {
    return `the engine qemu is not installed: there is no "${program}" (${QEMU_INSTALL})`;
  }
  if (error instanceof QemuError || error instanceof RpcError)
    return `the engine qemu does not start: ${error.message}`;
  throw error;
}

function diskOf(disk: OpenDisk, name: string, { held, events }: QemuAssemblyParts): QemuDiskParts {
  const { label, client, config } = disk;
  const { model, writeable, on_error: onError } = config;
  const stopsWhenFull = onError === 'pause';
  const device = new GuestDevice(client, writeable, {
    held: stopsWhenFull ? (code) => held(label, code) : undefined,
    failed: events.diskFailed(disk),
  });
  return { name, label, model, writeable, stopsWhenFull, blockSize: client.info.blockSize, device };
}

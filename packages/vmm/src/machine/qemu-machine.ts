/** The machine of the engine QEMU: its kernel and initrd are files, and its disks exports. */
import { assert, type Env, hasCode, RpcError } from '@ginit/core';
import { GuestDevice } from '../engine/qemu/guest-device.ts';
import { QemuError } from '../engine/qemu/qemu-run.ts';
import { type QemuDiskParts, startQemu } from '../engine/qemu/qemu-engine.ts';
import { type AcceleratorChoice, chooseAccelerator } from '../engine/qemu/speed-probe.ts';
import { type Assembly, type AssemblyEvents, type AssemblyParts, commandLineOf } from './assembly.ts';
import { QEMU_INSTALL } from './choose-engine.ts';
import type { OpenDisk } from './disks.ts';
import type { VmmConfig } from './schema.ts';
import { StateError } from '../state/state-stream.ts';
import { inMebibytes, reserveGuestMemory } from './memory.ts';

/** What else it takes. */
export interface QemuAssemblyParts extends AssemblyParts {
  readonly env: AssemblyParts['env'] & Pick<Env, 'host'>;
  /** The path of the granted program. */
  readonly program: string;
}

/** Puts one together. Throws `TooLittleMemory`, or a `ConfigError` if QEMU does not come up. */
export async function assembleQemu(parts: QemuAssemblyParts): Promise<Assembly> {
  const { env, config, initrd, program } = parts;
  const kernel = parts.kernel ?? parts.multiboot;
  checkParts(config);
  assert(kernel !== undefined, 'a machine without a kernel has a <bios>, and that is refused');
  const memoryBytes = await reserveGuestMemory(env, 'qemu', kernel.byteLength + (initrd?.byteLength ?? 0));
  const choice = await failing(config, program, chooseAccelerator(env, program));
  return build(parts, kernel, memoryBytes, choice);
}

/** QEMU has these, too, but nobody has joined them with our sessions. */
function checkParts({ $children: { bios, cdrom, display, floppy, shared } }: VmmConfig): void {
  const missing = bios ?? cdrom ?? floppy ?? display ?? shared[0];
  if (missing) throw missing.$node.errorAt(`a machine of the engine qemu has no <${missing.$node.type}> yet`);
}

async function build(
  parts: QemuAssemblyParts,
  kernel: Uint8Array,
  memoryBytes: number,
  { accelerator, why }: AcceleratorChoice,
): Promise<Assembly> {
  const { env, config, program, initrd, events } = parts;
  const processors = config.$children.cpu?.count ?? 1;
  const setup = {
    memoryBytes,
    processors,
    accelerator,
    hasSerial: config.$children.serial !== undefined,
    commandLine: commandLineOf(config),
  };
  const disks = parts.disks.map((disk, index) => diskOf(disk, `disk${index}`, events));
  const starts = startQemu({ env, program, setup, kernel, initrd, disks }, events);
  return {
    engine: await failing(config, program, starts),
    about: `${accelerator} (${why}), ${processors} processor${processors === 1 ? '' : 's'}, ${inMebibytes(memoryBytes)} MiB`,
    memoryBytes,
    // QEMU's own BIOS does that, whenever the machine begins.
    boot: () => {},
    reset: () => {},
    devices: [],
    restoreDevices: (states) => {
      if (states.length > 0) throw new StateError('it has other devices');
    },
    standsBeside: false,
    again: () => build(parts, kernel, memoryBytes, { accelerator, why }),
  };
}

/** QEMU that does not come up is an error of the config. */
async function failing<Result>(config: VmmConfig, program: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
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

function diskOf(disk: OpenDisk, name: string, events: AssemblyEvents): QemuDiskParts {
  const { label, client, config } = disk;
  const { model, writeable, on_error: onError } = config;
  const stopsWhenFull = onError === 'pause';
  const device = new GuestDevice(client, writeable, {
    held: stopsWhenFull ? (code) => events.held(label, code) : undefined,
    failed: events.diskFailed(disk),
  });
  return { name, label, model, writeable, stopsWhenFull, blockSize: client.info.blockSize, device };
}

/** The machine of the engine QEMU: its kernel and initrd are files, and its disks exports. */
import { type Env, hasCode, RpcError } from '@ginit/core';
import { GuestDevice } from '../engine/qemu/guest-device.ts';
import { QemuError } from '../engine/qemu/qemu-run.ts';
import {
  QEMU_DISKS_MAX,
  type QemuDiskParts,
  qemuScreenBytes,
  startQemu,
} from '../engine/qemu/qemu-engine.ts';
import type { QemuFile } from '../engine/qemu/qemu-arguments.ts';
import { type AcceleratorChoice, chooseAccelerator } from '../engine/qemu/speed-probe.ts';
import { type Assembly, type AssemblyEvents, type AssemblyParts, commandLineOf } from './assembly.ts';
import { QEMU_INSTALL } from './choose-engine.ts';
import type { OpenDisk } from './disks.ts';
import type { VmmConfig } from './schema.ts';
import { StateError } from '../state/state-stream.ts';
import { inMebibytes, reserveGuestMemory } from './memory.ts';
import { qemuShare } from './shared-folders.ts';

/** What else it takes. */
export interface QemuAssemblyParts extends AssemblyParts {
  readonly env: AssemblyParts['env'] & Pick<Env, 'host'>;
  /** The path of the granted program. */
  readonly program: string;
}

/** Puts one together. Throws `TooLittleMemory`, or a `ConfigError` if QEMU does not come up. */
export async function assembleQemu(parts: QemuAssemblyParts): Promise<Assembly> {
  const { env, config, drives, program } = parts;
  const { cdrom, display, image } = config.$children;
  drives.guestIsTold();
  const cd = cdrom ?? image.find(({ type }) => type === 'iso');
  const onIde = parts.disks.filter((disk) => disk.config.model === 'ide');
  if (cd && onIde.length === QEMU_DISKS_MAX.ide)
    throw cd.$node.errorAt(
      `there is no place for a CD drive beside ${QEMU_DISKS_MAX.ide} disks of the model ide`,
    );
  const files = filesOf(parts);
  const kept = Array.from(files.values(), ({ byteLength }) => byteLength);
  const beside = [...kept, drives.keptBytes, display ? qemuScreenBytes(display) : 0];
  const keptBytes = beside.reduce((sum, bytes) => sum + bytes, 0);
  const memoryBytes = await reserveGuestMemory(env, 'qemu', keptBytes);
  const choice = await failing(config, program, chooseAccelerator(env, program));
  return build(parts, files, memoryBytes, choice);
}

/** What the machine starts with. Without a kernel and a BIOS it has the one of QEMU. */
function filesOf({ kernel, multiboot, initrd, firmware }: AssemblyParts): ReadonlyMap<QemuFile, Uint8Array> {
  const files = new Map<QemuFile, Uint8Array>();
  const started = kernel ?? multiboot;
  for (const [name, bytes] of [
    ['kernel', started],
    ['initrd', initrd],
    ['bios', firmware?.bios],
    ['vgabios', firmware?.vgaBios],
  ] as const)
    if (bytes) files.set(name, bytes);
  return files;
}

async function build(
  parts: QemuAssemblyParts,
  files: ReadonlyMap<QemuFile, Uint8Array>,
  memoryBytes: number,
  { accelerator, why }: AcceleratorChoice,
): Promise<Assembly> {
  const { env, config, program, drives, events } = parts;
  const processors = config.$children.cpu?.count ?? 1;
  const setup = {
    memoryBytes,
    processors,
    accelerator,
    hasSerial: config.$children.serial !== undefined,
    commandLine: commandLineOf(config),
  };
  const disks = parts.disks.map((disk, index) => diskOf(disk, `disk${index}`, events));
  const { display: screen } = config.$children;
  const shares = parts.shares.map((share) => qemuShare(share, events.ofShare(share)));
  const [all, media] = [drives.all, drives.counted];
  const machine = { env, program, setup, files, disks, shares, drives: all, media, screen };
  const starts = startQemu(machine, events);
  const engine = await failing(config, program, starts);
  return {
    engine,
    about: `${accelerator} (${why}), ${processors} processor${processors === 1 ? '' : 's'}, ${inMebibytes(memoryBytes)} MiB`,
    processors: `${processors} (${accelerator})`,
    memoryBytes,
    // QEMU's own BIOS does that, whenever the machine begins.
    boot: () => {},
    reset: () => {},
    devices: [],
    restoreDevices: (states) => {
      if (states.length > 0) throw new StateError('it has other devices');
    },
    metrics: () => engine.metrics(),
    standsBeside: false,
    again: () => build(parts, files, memoryBytes, { accelerator, why }),
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

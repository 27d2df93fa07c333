/** The machine of the engine v86: its kernel is unpacked here, and its virtio disks are ours. */
import { RequestCounts } from '../devices/request-counts.ts';
import { screenBytes } from '../engine/v86/screen.ts';
import { startV86 } from '../engine/v86/v86-engine.ts';
import { type BootImage, bootImage } from '../linux/boot-image.ts';
import {
  KERNEL_BYTES_MAX,
  KernelError,
  readElf,
  readKernelFile,
  unpackKernel,
} from '../linux/kernel-file.ts';
import { multibootImage } from '../linux/multiboot.ts';
import { StateError } from '../state/state-stream.ts';
import { type Assembly, type AssemblyParts, commandLineOf } from './assembly.ts';
import { addVirtioDisk, ideDisk } from './disks.ts';
import { added } from './metrics.ts';
import { freeForGuest, inMebibytes, reserveGuestMemory } from './memory.ts';
import { addShare } from './shared-folders.ts';
import { unxz } from './unxz.ts';

/** Puts one together. Throws `KernelError`, or `TooLittleMemory`. */
export async function assembleV86(parts: AssemblyParts): Promise<Assembly> {
  const { image, memoryBytes } = await memoryWith(parts);
  return build(parts, image, memoryBytes);
}

async function build(
  parts: AssemblyParts,
  image: BootImage | undefined,
  memoryBytes: number,
): Promise<Assembly> {
  const { disks, drives, events, firmware } = parts;
  const ofModel = (model: 'ide' | 'virtio') => disks.filter((disk) => disk.config.model === model);
  const ideDisks = ofModel('ide').map((disk) => ideDisk(disk, events.diskFailed(disk)));
  const { display: screen } = parts.config.$children;
  const engine = await startV86({ memoryBytes, ideDisks, media: drives.counted, firmware, screen }, events);
  const counts = new RequestCounts();
  const virtioDisks = ofModel('virtio').map((disk) =>
    addVirtioDisk(engine, disk, { counts, broken: events.broken(disk), failed: events.diskFailed(disk) }),
  );
  const shares = parts.shares.map((share) => addShare(engine, share, events.ofShare(share)));
  const transports = [...virtioDisks, ...shares];
  return {
    engine,
    processors: '1',
    about: `1 processor, ${inMebibytes(memoryBytes)} MiB`,
    memoryBytes,
    boot: () => engine.boot(image),
    reset: () => transports.forEach((transport) => transport.reset()),
    get devices() {
      return transports.map((transport) => transport.state);
    },
    restoreDevices: (states) => {
      if (states.length !== transports.length) throw new StateError('it has other devices');
      for (const [index, state] of states.entries()) transports[index]?.restore(state);
    },
    metrics: async () => {
      const metrics = await engine.metrics();
      return metrics && added(metrics, counts);
    },
    standsBeside: true,
    again: () => build(parts, image, memoryBytes),
  };
}

/** Takes the memory of the guest out of the quota, and makes what it starts with. */
async function memoryWith(
  parts: AssemblyParts,
): Promise<{ image: BootImage | undefined; memoryBytes: number }> {
  const { env, config, initrd, multiboot, firmware, drives } = parts;
  const { display } = config.$children;
  const besideBytes =
    (initrd?.buffer.byteLength ?? 0) + drives.keptBytes + (display ? screenBytes(display) : 0);
  const commandLine = commandLineOf(config);
  if (parts.kernel) {
    const file = readKernelFile(parts.kernel);
    if (file.is64Bits) {
      throw new KernelError('it is a kernel for 64 bits, and the processor of the engine v86 has 32');
    }
    const bytesMax = Math.min(KERNEL_BYTES_MAX, await freeForGuest(env));
    // A call of the parent gives others their turn.
    const elf = await unpackKernel(file, (packed, most) => unxz(packed, most, () => env.quota()), bytesMax);
    const memoryBytes = await reserveGuestMemory(env, 'v86', elf.buffer.byteLength + besideBytes);
    const hasScreen = display !== undefined;
    const image = bootImage({ file, kernel: readElf(elf), initrd, hasScreen, commandLine, memoryBytes });
    return { image, memoryBytes };
  }
  const programBytes = (multiboot ?? firmware?.bios)?.byteLength ?? 0;
  const memoryBytes = await reserveGuestMemory(env, 'v86', programBytes + besideBytes);
  const image = multiboot && multibootImage({ file: multiboot, module: initrd, commandLine, memoryBytes });
  return { image, memoryBytes };
}

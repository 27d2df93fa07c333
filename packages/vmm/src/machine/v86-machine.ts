/** The machine of the engine v86: its kernel is unpacked here, and its virtio disks are ours. */
import { screenBytes } from '../engine/v86/screen.ts';
import { startV86 } from '../engine/v86/v86-engine.ts';
import { bootImage } from '../linux/boot-image.ts';
import {
  KERNEL_BYTES_MAX,
  KernelError,
  readElf,
  readKernelFile,
  unpackKernel,
} from '../linux/kernel-file.ts';
import { type Assembly, type AssemblyParts, commandLineOf } from './assembly.ts';
import { addVirtioDisk, ideDisk } from './disks.ts';
import { freeForGuest, inMebibytes, reserveGuestMemory } from './memory.ts';
import { unxz } from './unxz.ts';

/** Puts one together. Throws `KernelError`, or `TooLittleMemory`. */
export async function assembleV86(parts: AssemblyParts): Promise<Assembly> {
  const { env, config, disks, initrd, events } = parts;
  const { display } = config.$children;
  const file = readKernelFile(parts.kernel);
  if (file.is64Bits) {
    throw new KernelError('it is a kernel for 64 bits, and the processor of the engine v86 has 32');
  }
  const bytesMax = Math.min(KERNEL_BYTES_MAX, await freeForGuest(env));
  // A call of the parent gives others their turn.
  const elf = await unpackKernel(file, (packed, most) => unxz(packed, most, () => env.quota()), bytesMax);
  const keptBytes = elf.buffer.byteLength + (initrd?.buffer.byteLength ?? 0);
  const kernelParts = { file, kernel: readElf(elf), initrd, hasScreen: display !== undefined };
  const commandLine = commandLineOf(config);
  const memoryBytes = await reserveGuestMemory(env, keptBytes + (display ? screenBytes(display) : 0));
  const image = bootImage({ ...kernelParts, commandLine, memoryBytes });
  const ofModel = (model: 'ide' | 'virtio') => disks.filter((disk) => disk.config.model === model);
  const ideDisks = ofModel('ide').map((disk) => ideDisk(disk, events.diskFailed(disk)));
  const engine = await startV86(
    { memoryBytes, ideDisks, media: {}, firmware: undefined, screen: display },
    events,
  );
  const resets = ofModel('virtio').map((disk) =>
    addVirtioDisk(engine, disk, { broken: events.broken(disk), failed: events.diskFailed(disk) }),
  );
  return {
    engine,
    about: `1 processor, ${inMebibytes(memoryBytes)} MiB`,
    boot: () => engine.boot(image),
    reset: () => resets.forEach((reset) => reset()),
  };
}
